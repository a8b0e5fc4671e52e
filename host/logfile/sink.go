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
}

// Sink writes what a process writes to one of its output streams to a log, line by
// line. It is not safe for concurrent use.
type Sink struct {
	writer *Writer
	source Source
	relay  bool
	rest   []byte // at most maxText bytes, without a newline
	head   []byte // of the lines that are written now
}

// Sink gives what takes an output stream. A line of more than 64 KiB is cut.
func (w *Writer) Sink(s Source) *Sink { return &Sink{writer: w, source: s} }

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
	s.head = s.writer.form.head(s.head[:0], time.Now(), s.source)
	for len(p) > 0 {
		s.writer.add(func(batch []byte) []byte {
			for len(p) > 0 && len(batch) < maxBatch {
				end := bytes.IndexByte(p, '\n')
				if end < 0 {
					batch, p = s.hold(batch, p), nil
					break
				}
				batch = s.line(batch, p[:end])
				p = p[end+1:]
			}
			return batch
		})
	}
}

// hold keeps the beginning of a line. A full piece goes out as soon as it is known
// that the line goes on.
func (s *Sink) hold(batch []byte, part []byte) []byte {
	for len(s.rest)+len(part) > maxText {
		n := maxText - len(s.rest)
		batch = s.writer.form.line(batch, s.head, append(s.rest, part[:n]...), endsPart)
		s.rest, part = s.rest[:0], part[n:]
	}
	s.rest = append(s.rest, part...)
	return batch
}

func (s *Sink) line(batch []byte, last []byte) []byte {
	if len(s.rest) == 0 && len(last) <= maxText {
		return s.append(batch, last)
	}
	batch = s.hold(batch, last)
	batch = s.append(batch, s.rest)
	s.rest = s.rest[:0]
	return batch
}

func (s *Sink) append(batch []byte, line []byte) []byte {
	if s.relay {
		if h, ok := parseHead(line); ok && h.stream == StreamLog {
			return append(append(batch, line...), '\n')
		}
	}
	return s.writer.form.line(batch, s.head, line, endsLine)
}

// Finish says that no more comes: a last line without a newline is written now.
func (s *Sink) Finish() {
	if len(s.rest) > 0 {
		s.head = s.writer.form.head(s.head[:0], time.Now(), s.source)
		s.writer.add(func(batch []byte) []byte { return s.writer.form.line(batch, s.head, s.rest, endsOpen) })
		s.rest = nil
	}
}

// Rest gives the last line as far as it has come; it is empty after a newline.
// Another Sink to which it is written first goes on with the line.
func (s *Sink) Rest() []byte { return s.rest }
