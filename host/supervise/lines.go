package supervise

import (
	"bytes"
	"slices"
	"sync"
)

const (
	maxLine     = 64 << 10 // bytes of a line that are passed on in one piece
	tailLines   = 50       // lines that a process keeps for those who ask how it ended
	maxTailLine = 4 << 10  // bytes kept of each
)

// splitter cuts a byte stream into lines. It holds back what has no newline yet.
type splitter struct {
	emit Sink
	rest []byte // at most maxLine bytes, without a newline
}

func (s *splitter) write(chunk []byte) {
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

// end passes on a last line that has no newline.
func (s *splitter) end() {
	if len(s.rest) > 0 {
		s.emit(s.rest, false)
		s.rest = nil
	}
}

// tail keeps the newest lines of all streams of a process.
type tail struct {
	mu    sync.Mutex
	lines []string // a ring once it is full
	next  int      // of the ring: the oldest line
}

func (t *tail) add(line []byte) {
	text := string(line[:min(len(line), maxTailLine)])
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) < tailLines {
		t.lines = append(t.lines, text)
		return
	}
	t.lines[t.next] = text
	t.next = (t.next + 1) % tailLines
}

func (t *tail) list() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Concat(t.lines[t.next:], t.lines[:t.next])
}
