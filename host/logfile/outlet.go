package logfile

import "bytes"

// user is an Outlet to a log that is shared.
type user struct {
	Outlet
	leave func()
}

// Finish implements Outlet.
func (u *user) Finish() {
	u.Outlet.Finish()
	u.leave()
}

// tee passes a stream on to a log and to a standard stream.
type tee struct{ log, standard Outlet }

// Write implements Outlet.
func (t *tee) Write(p []byte) {
	t.log.Write(p)
	t.standard.Write(p)
}

// Finish implements Outlet.
func (t *tee) Finish() {
	t.log.Finish()
	t.standard.Finish()
}

// Rest implements Outlet: both have the same.
func (t *tee) Rest() []byte { return t.log.Rest() }

// plain shows lines as they are, whole ones, since others write there, too.
type plain struct {
	to   *echo
	rest []byte // at most maxText bytes, without a newline
}

// Write implements Outlet.
func (p *plain) Write(chunk []byte) {
	last := bytes.LastIndexByte(chunk, '\n')
	if last >= 0 {
		p.to.add(append(p.rest, chunk[:last+1]...))
		p.rest = nil
	}
	// A piece goes out when it is known that the line goes on, as in a log.
	part := chunk[last+1:]
	for len(p.rest)+len(part) > maxText {
		n := maxText - len(p.rest)
		p.to.add(append(p.rest, part[:n]...))
		p.rest, part = nil, part[n:]
	}
	p.rest = append(p.rest, part...)
}

// Finish implements Outlet.
func (p *plain) Finish() {
	if len(p.rest) > 0 {
		p.to.add(append(p.rest, '\n'))
		p.rest = nil
	}
}

// Rest implements Outlet.
func (p *plain) Rest() []byte { return p.rest }
