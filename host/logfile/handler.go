package logfile

import (
	"context"
	"encoding"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// LineWriter takes lines; [Writer] is one, and [Direct] makes one.
type LineWriter interface {
	// Line takes text for a name and a stream. text is only valid during the call.
	Line(t time.Time, name, stream string, text []byte)
}

// maxDirect is how much text [Direct] puts into a line. With its head the line
// stays below what is taken in one piece from the output of a process.
const maxDirect = 32 << 10

// Direct gives a LineWriter that writes each line to w at once, by one Write. A
// worker logs by it to its standard error, from where [Writer.Relay] takes the
// lines. Errors of w are not reported: there is nobody to report them to.
func Direct(w io.Writer) LineWriter { return &direct{to: w} }

type direct struct {
	mu  sync.Mutex
	to  io.Writer
	buf []byte
}

func (d *direct) Line(t time.Time, name, stream string, text []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.buf = appendText(d.buf[:0], t, name, stream, text, maxDirect)
	_, _ = d.to.Write(d.buf)
}

// NewHandler gives a slog handler whose records become lines of name in the log
// stream: level, message, then key=value for each attribute, with groups in
// front of the key as in group.key=value.
func NewHandler(to LineWriter, name string, level slog.Leveler) slog.Handler {
	return &handler{to: to, name: name, level: level}
}

type handler struct {
	to     LineWriter
	name   string
	level  slog.Leveler
	prefix string // of the groups that are open, as in "a.b."
	attrs  string // formatted, with a space in front of each
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level.Level() }

// Handle implements slog.Handler.
func (h *handler) Handle(_ context.Context, r slog.Record) error {
	text := make([]byte, 0, 256)
	text = append(text, r.Level.String()...)
	text = append(text, ' ')
	text = appendVisible(text, r.Message)
	text = append(text, h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		text = appendAttr(text, h.prefix, a)
		return true
	})
	t := r.Time
	if t.IsZero() {
		t = time.Now()
	}
	h.to.Line(t, h.name, StreamLog, text)
	return nil
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	text := []byte(h.attrs)
	for _, a := range attrs {
		text = appendAttr(text, h.prefix, a)
	}
	next := *h
	next.attrs = string(text)
	return &next
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	next := *h
	next.prefix += name + "."
	return &next
}

func appendAttr(dst []byte, prefix string, a slog.Attr) []byte {
	value := a.Value.Resolve()
	if a.Key == "" && value.Kind() != slog.KindGroup {
		return dst
	}
	if value.Kind() != slog.KindGroup {
		dst = append(dst, ' ')
		dst = appendWord(dst, prefix+a.Key)
		dst = append(dst, '=')
		return appendWord(dst, valueText(value))
	}
	if a.Key != "" {
		prefix += a.Key + "."
	}
	for _, member := range value.Group() {
		dst = appendAttr(dst, prefix, member)
	}
	return dst
}

func valueText(v slog.Value) (text string) {
	defer func() {
		// A value that cannot say what it is must not end the program that logs it.
		if r := recover(); r != nil {
			text = fmt.Sprintf("!PANIC: %v", r)
		}
	}()
	if v.Kind() == slog.KindTime {
		return v.Time().Format(time.RFC3339Nano)
	}
	if v.Kind() != slog.KindAny {
		return v.String()
	}
	switch a := v.Any().(type) {
	case encoding.TextMarshaler:
		b, err := a.MarshalText()
		if err != nil {
			return "!ERROR: " + err.Error()
		}
		return string(b)
	case []byte:
		return string(a)
	default:
		return fmt.Sprintf("%+v", a)
	}
}

// appendWord quotes what would not come back as one word.
func appendWord(dst []byte, word string) []byte {
	if word == "" || strings.ContainsFunc(word, func(r rune) bool {
		return r == ' ' || r == '=' || r == '"' || r == utf8.RuneError || !unicode.IsPrint(r)
	}) {
		return strconv.AppendQuote(dst, word)
	}
	return append(dst, word...)
}

// appendVisible escapes control characters, so that a message stays one line and
// cannot play with a terminal.
func appendVisible(dst []byte, text string) []byte {
	if !strings.ContainsFunc(text, unicode.IsControl) {
		return append(dst, text...)
	}
	for _, r := range text {
		if !unicode.IsControl(r) {
			dst = utf8.AppendRune(dst, r)
			continue
		}
		quoted := strconv.AppendQuoteRune(nil, r)
		dst = slices.Concat(dst, quoted[1:len(quoted)-1])
	}
	return dst
}
