package supervise

import (
	"bytes"
	"strings"
	"sync"
)

const (
	tailLines   = 50      // lines that a process keeps for those who ask how it ended
	tailSlack   = 14      // lines more than that before the oldest are dropped
	maxTailLine = 4 << 10 // bytes kept of each
)

// tail keeps the newest lines of all streams of a process.
type tail struct {
	mu    sync.Mutex
	text  []byte // each line with its newline
	count int    // lines in text
}

// add takes lines, each with its newline.
func (t *tail) add(lines []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if newest := lastLines(lines, tailLines); newest > 0 {
		t.text, t.count, lines = t.text[:0], 0, lines[newest:]
	}
	for len(lines) > 0 {
		end := bytes.IndexByte(lines, '\n')
		t.text = append(append(t.text, lines[:min(end, maxTailLine)]...), '\n')
		t.count++
		lines = lines[end+1:]
	}
	if t.count > tailLines+tailSlack {
		t.text = append(t.text[:0], t.text[lastLines(t.text, tailLines):]...)
		t.count = tailLines
	}
}

// list gives them, oldest first, without their newlines.
func (t *tail) list() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count == 0 {
		return nil
	}
	text := t.text[lastLines(t.text, tailLines):]
	return strings.Split(string(text[:len(text)-1]), "\n")
}

// lastLines gives the position of the last n lines of text, which ends with a
// newline; 0 if there are no more than that.
func lastLines(text []byte, n int) int {
	end := len(text)
	for range n + 1 {
		end = bytes.LastIndexByte(text[:end], '\n')
		if end < 0 {
			return 0
		}
	}
	return end + 1
}

// tailFeed brings one stream into a tail. It costs nothing while nothing comes,
// and of a large chunk only the end is looked at.
type tailFeed struct {
	tail *tail
	part []byte // the beginning of the line that has no newline yet
}

func (f *tailFeed) write(chunk []byte) {
	first := bytes.IndexByte(chunk, '\n')
	if first < 0 {
		f.hold(chunk)
		return
	}
	if len(f.part) > 0 {
		f.hold(chunk[:first])
		f.finish()
		chunk = chunk[first+1:]
	}
	last := bytes.LastIndexByte(chunk, '\n')
	f.tail.add(chunk[:last+1])
	f.hold(chunk[last+1:])
}

func (f *tailFeed) hold(part []byte) {
	f.part = append(f.part, part[:min(len(part), maxTailLine-len(f.part))]...)
}

// finish makes a line of what has no newline.
func (f *tailFeed) finish() {
	if len(f.part) > 0 {
		f.tail.add(append(f.part, '\n'))
		f.part = f.part[:0]
	}
}
