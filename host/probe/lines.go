package probe

import (
	"bytes"
	"regexp"
	"sync"
	"sync/atomic"
)

// Sink takes what a process writes to one of its output streams, as it comes. Its
// methods are called by one goroutine at a time.
type Sink interface {
	Write(p []byte) // p is only valid during the call
	Finish()        // no more comes; a last line without a newline is a line
	Rest() []byte   // the unfinished line, for who goes on in our place; Finish is not called
}

// maxLine is how much of a line is looked at, in bytes.
const maxLine = 64 << 10

// Lines waits for a line of output that matches a regular expression, in any
// number of streams. Once there was one it costs nothing more. Make one with
// [NewLines].
type Lines struct {
	pattern *regexp.Regexp
	over    atomic.Bool
	once    sync.Once
	matched chan struct{}
	line    string
}

// NewLines returns a Lines that looks for pattern.
func NewLines(pattern *regexp.Regexp) *Lines {
	return &Lines{pattern: pattern, matched: make(chan struct{})}
}

// Matched is closed when a line has matched.
func (l *Lines) Matched() <-chan struct{} { return l.matched }

// Line is the line that has matched, at most 64 KiB of it; it is valid once Matched
// is closed.
func (l *Lines) Line() string {
	select {
	case <-l.matched:
		return l.line
	default:
		return ""
	}
}

// Stop gives up: nothing will match any more.
func (l *Lines) Stop() { l.over.Store(true) }

// Tee gives a Sink that passes everything on to next, before it looks at it. next
// may be nil.
func (l *Lines) Tee(next Sink) Sink { return &tee{lines: l, next: next} }

func (l *Lines) look(line []byte) {
	line = bytes.TrimSuffix(line, []byte("\r"))
	if l.over.Load() || !l.pattern.Match(line) {
		return
	}
	l.once.Do(func() {
		l.line = string(line)
		l.over.Store(true)
		close(l.matched)
	})
}

// tee is one stream of a Lines.
type tee struct {
	lines *Lines
	next  Sink
	part  []byte // the unfinished line, at most maxLine of it
	skip  bool   // the rest of the line is too much
}

func (t *tee) Write(p []byte) {
	if t.next != nil {
		t.next.Write(p)
	}
	if t.lines.over.Load() {
		t.part = nil
		return
	}
	for {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			t.add(p)
			return
		}
		if len(t.part) == 0 && !t.skip && end <= maxLine {
			t.lines.look(p[:end])
		} else {
			t.add(p[:end])
			t.flush()
		}
		p = p[end+1:]
	}
}

// add makes the unfinished line longer, up to what is looked at.
func (t *tee) add(p []byte) {
	room := maxLine - len(t.part)
	t.skip = t.skip || len(p) > room
	t.part = append(t.part, p[:min(len(p), room)]...)
}

func (t *tee) flush() {
	t.lines.look(t.part)
	t.part, t.skip = t.part[:0], false
}

func (t *tee) Finish() {
	if t.next != nil {
		t.next.Finish()
	}
	if len(t.part) > 0 {
		t.flush()
	}
}

func (t *tee) Rest() []byte {
	if t.next != nil {
		return t.next.Rest()
	}
	return t.part
}
