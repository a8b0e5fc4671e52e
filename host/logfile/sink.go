package logfile

import (
	"bytes"
	"time"
)

// Source is an output stream of a process.
type Source struct {
	Name       string // of the program or the worker
	Stream     string // StreamOut or StreamErr
	Instance   int    // of the program, from 1
	Generation int    // of the process: counts starts, from 1
	// Rest is the line that another Sink of this stream has left unfinished; see
	// [Sink.Rest].
	Rest []byte
}

// Sink writes what a process writes to one of its output streams to a log, line by
// line. It is not safe for concurrent use.
type Sink struct {
	writer *Writer
	source Source
	relay  bool
	rest   []byte // at most maxText bytes, without a newline
}

// Sink gives what takes an output stream. A line of more than 64 KiB is cut.
func (w *Writer) Sink(s Source) *Sink {
	return &Sink{writer: w, source: s, rest: append([]byte(nil), s.Rest...)}
}

// Relay does what Sink does, but lets through as they are the lines that have the
// form of the log already and come from a logger; see [Direct].
func (w *Writer) Relay(s Source) *Sink {
	sink := w.Sink(s)
	sink.relay = true
	return sink
}

// Write takes any number of lines and pieces of lines, in order. It returns when p
// is not needed any more, and may wait for the disk.
func (s *Sink) Write(p []byte) {
	now := time.Now()
	s.writer.add(func(batch []byte) []byte {
		for {
			end := bytes.IndexByte(p, '\n')
			if end < 0 {
				return s.hold(batch, now, p)
			}
			batch = s.line(batch, now, p[:end])
			p = p[end+1:]
		}
	})
}

// hold keeps the beginning of a line. A full piece goes out as soon as it is known
// that the line goes on.
func (s *Sink) hold(batch []byte, now time.Time, part []byte) []byte {
	for len(s.rest)+len(part) > maxText {
		n := maxText - len(s.rest)
		batch = s.append(batch, now, append(s.rest, part[:n]...))
		batch = append(batch[:len(batch)-1], '\\', '\n')
		s.rest, part = s.rest[:0], part[n:]
	}
	s.rest = append(s.rest, part...)
	return batch
}

func (s *Sink) line(batch []byte, now time.Time, last []byte) []byte {
	if len(s.rest) == 0 && len(last) <= maxText {
		return s.append(batch, now, last)
	}
	batch = s.hold(batch, now, last)
	batch = s.append(batch, now, s.rest)
	s.rest = s.rest[:0]
	return batch
}

func (s *Sink) append(batch []byte, now time.Time, line []byte) []byte {
	if s.relay {
		if h, ok := parseHead(line); ok && h.stream == StreamLog {
			return append(append(batch, line...), '\n')
		}
	}
	batch = appendHead(batch, now, s.source.Name, s.source.Stream)
	return append(append(batch, line...), '\n')
}

// Finish says that no more comes: a last line without a newline is written now.
func (s *Sink) Finish() {
	if len(s.rest) > 0 {
		s.Write([]byte{'\n'})
	}
}

// Rest gives the last line as far as it has come; it is empty after a newline. A
// Sink that is made with it as the Rest of its Source goes on with the line.
func (s *Sink) Rest() []byte { return s.rest }
