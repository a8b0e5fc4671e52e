package logfile

import (
	"bytes"
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

// Line is one line of a log.
type Line struct {
	Log        string    // of which [Reader] it is: its Label
	Offset     int64     // behind the line: reading from here goes on with the next
	Time       time.Time // zero if unknown
	Name       string
	Instance   int // 0 if unknown
	Generation int // 0 if unknown
	Stream     string
	Text       string
}

// AppendLine appends the line or lines that text makes: it is cut at its newlines,
// and where it is too long. What a name cannot contain becomes a hyphen.
func AppendLine(dst []byte, t time.Time, name, stream, text string) []byte {
	return appendText(dst, t, name, stream, []byte(text), maxText)
}

func appendText(dst []byte, t time.Time, name, stream string, text []byte, limit int) []byte {
	return appendLines(dst, textForm{}, appendHead(nil, t, name, stream), text, limit)
}

func appendLines(dst []byte, f form, head, text []byte, limit int) []byte {
	for {
		part, rest, more := bytes.Cut(text, []byte{'\n'})
		for len(part) > limit {
			dst = f.line(dst, head, part[:limit], endsPart)
			part = part[limit:]
		}
		dst = f.line(dst, head, part, endsLine)
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
	dst = appendStream(append(dst, ' '), stream)
	return append(dst, ' ')
}

func appendStream(dst []byte, stream string) []byte {
	switch stream {
	case StreamLog, StreamOut:
		return append(dst, stream...)
	}
	return append(dst, StreamErr...)
}

func streamOf(word []byte) (stream string, ok bool) {
	switch string(word) {
	case StreamLog:
		return StreamLog, true
	case StreamOut:
		return StreamOut, true
	case StreamErr:
		return StreamErr, true
	}
	return "", false
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
	if len(line) <= len(timeLayout) || line[len(timeLayout)] != ' ' {
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
	word, _, ok := bytes.Cut(rest, []byte{' '})
	if !ok {
		return head{}, false
	}
	h := head{name: name, size: len(timeLayout) + 1 + len(name) + 1 + len(word) + 1}
	if h.stream, ok = streamOf(word); !ok {
		return head{}, false
	}
	h.time, ok = parseTime(line[:len(timeLayout)])
	return h, ok
}

// parseTime is stricter than package time, which takes a comma for the dot and a
// sign among the digits, and quicker.
func parseTime(text []byte) (time.Time, bool) {
	for i := range len(timeLayout) {
		c, isDigit := text[i], '0' <= text[i] && text[i] <= '9'
		if wantDigit := '0' <= timeLayout[i] && timeLayout[i] <= '9'; isDigit != wantDigit || !isDigit && c != timeLayout[i] {
			return time.Time{}, false
		}
	}
	number := func(from, to int) int {
		n := 0
		for _, c := range text[from:to] {
			n = 10*n + int(c-'0')
		}
		return n
	}
	month, day := number(5, 7), number(8, 10)
	hour, minute, second := number(11, 13), number(14, 16), number(17, 19)
	t := time.Date(number(0, 4), time.Month(month), day, hour, minute, second, 1000*number(20, 26), time.UTC)
	// Package time would make the 1st of March of the 29th of February.
	ok := t.Month() == time.Month(month) && t.Day() == day && t.Hour() == hour && t.Minute() == minute && t.Second() == second
	return t, ok
}

// continues is the text of the line that begins a file which continues another.
const continues = "the log continues at offset "

func isContinuation(f form, line []byte) bool {
	h, ok := f.peek(line)
	return ok && h.stream == StreamLog && string(h.name) == Master &&
		(bytes.HasPrefix(line[h.size:], []byte(continues)) || bytes.Contains(line, []byte(jsonText+continues)))
}
