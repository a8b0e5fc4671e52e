package supervise

import "bytes"

// maxLine is how many bytes of a line are passed on in one piece.
const maxLine = 64 << 10

// splitter cuts a byte stream into lines. It holds back what has no newline yet.
type splitter struct {
	emit func(line []byte, cut bool)
	rest []byte // at most maxLine bytes, without a newline
}

// Write implements Sink.
func (s *splitter) Write(chunk []byte) {
	for len(chunk) > 0 {
		end := bytes.IndexByte(chunk, '\n')
		if end < 0 {
			s.hold(chunk)
			return
		}
		s.line(chunk[:end])
		chunk = chunk[end+1:]
	}
}

// hold keeps the beginning of a line; a full piece goes out as soon as it is
// known that the line goes on.
func (s *splitter) hold(part []byte) {
	for len(s.rest)+len(part) > maxLine {
		n := maxLine - len(s.rest)
		s.rest = append(s.rest, part[:n]...)
		s.emit(s.rest, true)
		s.rest = s.rest[:0]
		part = part[n:]
	}
	s.rest = append(s.rest, part...)
}

func (s *splitter) line(last []byte) {
	if len(s.rest) == 0 && len(last) <= maxLine {
		s.emit(last, false)
		return
	}
	s.hold(last)
	s.emit(s.rest, false)
	s.rest = s.rest[:0]
}

// Finish implements Sink.
func (s *splitter) Finish() {
	if len(s.rest) > 0 {
		s.emit(s.rest, false)
		s.rest = nil
	}
}

// Rest implements Sink.
func (s *splitter) Rest() []byte { return s.rest }
