package logfile

import (
	"bytes"
	"strings"
	"time"
)

// Streams of a line.
const (
	StreamLog = "log" // written by a logger
	StreamOut = "out" // standard output of a process
	StreamErr = "err" // standard error of a process
)

// Master is the name under which the master logs, and to which lines of unknown
// form belong.
const Master = "master"

const (
	timeLayout = "2006-01-02T15:04:05.000000Z"
	maxName    = 63       // bytes of a name
	maxText    = 64 << 10 // bytes of text in one line
	// maxHead is more than all in front of the text can have.
	maxHead = 128
)

// Line is one line of the log.
type Line struct {
	Offset int64     // behind the line: reading from here goes on with the next
	Time   time.Time // zero if unknown
	Name   string
	Stream string
	Text   string
}

// AppendLine appends the line or lines that text makes: it is cut at its newlines,
// and where it is too long. What a name cannot contain becomes a hyphen.
func AppendLine(dst []byte, t time.Time, name, stream, text string) []byte {
	return appendText(dst, t, name, stream, []byte(text), maxText)
}

func appendText(dst []byte, t time.Time, name, stream string, text []byte, limit int) []byte {
	for {
		part, rest, more := bytes.Cut(text, []byte{'\n'})
		for len(part) > limit {
			dst = append(appendHead(dst, t, name, stream), part[:limit]...)
			dst = append(dst, '\\', '\n')
			part = part[limit:]
		}
		dst = append(appendHead(dst, t, name, stream), part...)
		dst = append(dst, '\n')
		if !more {
			return dst
		}
		text = rest
	}
}

func appendHead(dst []byte, t time.Time, name, stream string) []byte {
	dst = t.UTC().AppendFormat(dst, timeLayout)
	dst = append(dst, ' ')
	dst = appendName(dst, name)
	dst = append(dst, ' ')
	switch stream {
	case StreamLog, StreamOut:
		dst = append(dst, stream...)
	default:
		dst = append(dst, StreamErr...)
	}
	return append(dst, ' ')
}

func appendName(dst []byte, name string) []byte {
	if name == "" {
		return append(dst, '-')
	}
	for i := range min(len(name), maxName) {
		c := name[i]
		if !inName(c) {
			c = '-'
		}
		dst = append(dst, c)
	}
	return dst
}

func inName(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-'
}

// Parse takes a line without its newline apart. A line of unknown form gives
// false, and a Line of master and err with all of it as its text. Offset is not set.
func Parse(line []byte) (Line, bool) {
	h, ok := parseHead(line)
	if !ok {
		return Line{Name: Master, Stream: StreamErr, Text: string(line)}, false
	}
	return Line{Time: h.time, Name: string(h.name), Stream: h.stream, Text: string(line[h.size:])}, true
}

// head is what stands in front of the text.
type head struct {
	time   time.Time
	name   []byte // part of the line
	stream string
	size   int // bytes up to the text
}

func parseHead(line []byte) (head, bool) {
	if len(line) <= len(timeLayout) || line[len(timeLayout)] != ' ' || !looksLikeTime(line) {
		return head{}, false
	}
	rest := line[len(timeLayout)+1:]
	name, rest, ok := bytes.Cut(rest[:min(len(rest), maxHead)], []byte{' '})
	if !ok || len(name) == 0 || len(name) > maxName {
		return head{}, false
	}
	for _, c := range name {
		if !inName(c) {
			return head{}, false
		}
	}
	stream, _, ok := bytes.Cut(rest, []byte{' '})
	if !ok {
		return head{}, false
	}
	h := head{name: name, size: len(timeLayout) + 1 + len(name) + 1 + len(stream) + 1}
	switch string(stream) {
	case StreamLog:
		h.stream = StreamLog
	case StreamOut:
		h.stream = StreamOut
	case StreamErr:
		h.stream = StreamErr
	default:
		return head{}, false
	}
	t, err := time.Parse(timeLayout, string(line[:len(timeLayout)]))
	h.time = t
	return h, err == nil
}

// looksLikeTime is stricter than package time, which takes a comma for the dot and
// a sign among the digits.
func looksLikeTime(line []byte) bool {
	for i := range len(timeLayout) {
		c, isDigit := line[i], '0' <= line[i] && line[i] <= '9'
		if wantDigit := '0' <= timeLayout[i] && timeLayout[i] <= '9'; isDigit != wantDigit || !isDigit && c != timeLayout[i] {
			return false
		}
	}
	return true
}

// belongs tells whether a line is one of name; it looks at its beginning only.
func belongs(line []byte, name string) bool {
	if name == "" {
		return true
	}
	h, ok := parseHead(line)
	if !ok {
		return name == Master
	}
	return string(h.name) == name
}

// continues is the text of the line that begins a file which continues another.
const continues = "the log continues at offset "

func isContinuation(line []byte) bool {
	h, ok := parseHead(line)
	return ok && h.stream == StreamLog && string(h.name) == Master &&
		strings.HasPrefix(string(line[h.size:min(len(line), h.size+len(continues))]), continues)
}
