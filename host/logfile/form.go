package logfile

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// Format is the form of the lines of a log.
type Format string

// The formats. The log of an instance is text.
const (
	Text Format = "text" // time, name, stream and text
	JSON Format = "json" // an object for each line
	Raw  Format = "raw"  // what was written, byte for byte
)

// ending is what follows the text of a line.
type ending int

const (
	endsLine ending = iota // a newline
	endsPart               // the line goes on: it was too long
	endsOpen               // nothing: the process has ended within the line
)

// form writes and reads the lines of one format.
type form interface {
	// head appends what stands in front of the text of each line of a Source.
	head(dst []byte, t time.Time, s Source) []byte
	// line appends a line that begins with what head has given.
	line(dst, head, text []byte, end ending) []byte
	// peek looks at the beginning of a line; it tells false if it has another form.
	peek(line []byte) (head, bool)
	// parse takes a line apart that peek knows. Offset is not set.
	parse(line []byte) (Line, bool)
}

func formOf(f Format) (form, error) {
	switch f {
	case Text, "":
		return textForm{}, nil
	case JSON:
		return jsonForm{}, nil
	case Raw:
		return rawForm{}, nil
	}
	return nil, fmt.Errorf("there is no log format %q", f)
}

type textForm struct{}

func (textForm) head(dst []byte, t time.Time, s Source) []byte {
	return appendHead(dst, t, s.Name, s.Stream)
}

func (textForm) line(dst, head, text []byte, end ending) []byte {
	dst = append(append(dst, head...), text...)
	if end == endsPart {
		dst = append(dst, '\\')
	}
	return append(dst, '\n')
}

func (textForm) peek(line []byte) (head, bool) { return parseHead(line) }

func (textForm) parse(line []byte) (Line, bool) { return Parse(line) }

// rawForm tells nothing of a line but its text. A process that ends within a line
// leaves it so.
type rawForm struct{}

func (rawForm) head(dst []byte, _ time.Time, _ Source) []byte { return dst }

func (rawForm) line(dst, _, text []byte, end ending) []byte {
	dst = append(dst, text...)
	if end == endsLine {
		dst = append(dst, '\n')
	}
	return dst
}

func (rawForm) peek([]byte) (head, bool) { return head{}, false }

func (rawForm) parse([]byte) (Line, bool) { return Line{}, false }

// jsonForm begins each object with the same members in the same order, so that a
// line can be judged by its beginning.
type jsonForm struct{}

const (
	jsonTime   = `{"time":"`
	jsonName   = `","name":"`
	jsonStream = `","stream":"`
	jsonText   = `"text":"`
	jsonPart   = `","part":true}`
	jsonEnd    = `"}`
)

func (jsonForm) head(dst []byte, t time.Time, s Source) []byte {
	dst = t.UTC().AppendFormat(append(dst, jsonTime...), timeLayout)
	dst = appendName(append(dst, jsonName...), s.Name)
	dst = appendStream(append(dst, jsonStream...), s.Stream)
	dst = append(dst, `",`...)
	if s.Instance > 0 {
		dst = strconv.AppendInt(append(dst, `"instance":`...), int64(s.Instance), 10)
		dst = append(dst, ',')
	}
	if s.Generation > 0 {
		dst = strconv.AppendInt(append(dst, `"generation":`...), int64(s.Generation), 10)
		dst = append(dst, ',')
	}
	return append(dst, jsonText...)
}

func (jsonForm) line(dst, head, text []byte, end ending) []byte {
	dst = appendJSON(append(dst, head...), text)
	if end == endsPart {
		return append(append(dst, jsonPart...), '\n')
	}
	return append(append(dst, jsonEnd...), '\n')
}

// appendJSON appends the inside of a JSON string. What is no UTF-8 becomes U+FFFD.
func appendJSON(dst, text []byte) []byte {
	if isPlain(text) {
		return append(dst, text...)
	}
	const hex = "0123456789abcdef"
	done := 0 // up to here text is in dst
	for i := 0; i < len(text); {
		c := text[i]
		if c >= utf8.RuneSelf {
			_, size := utf8.DecodeRune(text[i:])
			if size == 1 {
				dst = append(append(dst, text[done:i]...), "\ufffd"...)
				done = i + 1
			}
			i += size
			continue
		}
		i++
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, text[done:i-1]...)
		done = i
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(dst, text[done:]...)
}

// isPlain tells whether text is the inside of a JSON string as it is. It looks at 8
// bytes at a time, since most lines are plain.
func isPlain(text []byte) bool {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	// below tells of bytes less than n, if there are none over 0x7f.
	below := func(word, n uint64) uint64 { return (word - ones*n) & ^word }
	for ; len(text) >= 8; text = text[8:] {
		word := binary.LittleEndian.Uint64(text)
		if (word|below(word, ' ')|below(word^ones*'"', 1)|below(word^ones*'\\', 1))&highs != 0 {
			return false
		}
	}
	for _, c := range text {
		if c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func (jsonForm) peek(line []byte) (head, bool) {
	rest, ok := bytes.CutPrefix(line, []byte(jsonTime))
	if !ok || len(rest) < len(timeLayout) {
		return head{}, false
	}
	t, ok := parseTime(rest[:len(timeLayout)])
	if !ok {
		return head{}, false
	}
	rest, ok = bytes.CutPrefix(rest[len(timeLayout):], []byte(jsonName))
	if !ok {
		return head{}, false
	}
	name, rest, ok := bytes.Cut(rest[:min(len(rest), maxHead)], []byte(jsonStream))
	if !ok {
		return head{}, false
	}
	word, _, ok := bytes.Cut(rest, []byte{'"'})
	stream, known := streamOf(word)
	return head{time: t, name: name, stream: stream}, ok && known
}

func (f jsonForm) parse(line []byte) (Line, bool) {
	h, ok := f.peek(line)
	if !ok {
		return Line{}, false
	}
	var object struct {
		Instance   int    `json:"instance"`
		Generation int    `json:"generation"`
		Text       string `json:"text"`
		Part       bool   `json:"part"`
	}
	if json.Unmarshal(line, &object) != nil {
		return Line{}, false
	}
	l := Line{Time: h.time, Name: string(h.name), Stream: h.stream, Instance: object.Instance, Generation: object.Generation, Text: object.Text}
	if object.Part {
		l.Text += `\`
	}
	return l, true
}
