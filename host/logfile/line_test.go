package logfile

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 123456000, time.UTC)

func TestAppendLine(t *testing.T) {
	long := strings.Repeat("x", maxText)
	const head = "2026-11-22T12:00:00.123456Z math out "
	for _, test := range []struct{ text, want string }{
		{"hello world", head + "hello world\n"},
		{"", head + "\n"},
		{"a\nb", head + "a\n" + head + "b\n"},
		{"\r\x00\xff", head + "\r\x00\xff\n"},
		{long, head + long + "\n"},
		{long + "y", head + long + "\\\n" + head + "y\n"},
	} {
		got := AppendLine([]byte("before "), noon.In(time.FixedZone("", 3600)), "math", StreamOut, test.text)
		if string(got) != "before "+test.want {
			t.Errorf("%.20q became %.120q", test.text, got)
		}
	}
}

func TestNamesAndStreamsAreMadeFit(t *testing.T) {
	for _, test := range []struct{ name, stream, want string }{
		{"Big Name", "log", " -ig--ame log x\n"},
		{"", "out", " - out x\n"},
		{"a\nb", "other", " a-b err x\n"},
		{strings.Repeat("n", 100), "err", " " + strings.Repeat("n", 63) + " err x\n"},
	} {
		got := string(AppendLine(nil, noon, test.name, test.stream, "x"))
		if got[len(timeLayout):] != test.want {
			t.Errorf("%q: %q", test.name, got)
		}
		if _, ok := Parse([]byte(strings.TrimSuffix(got, "\n"))); !ok {
			t.Errorf("%q does not come back", got)
		}
	}
}

func TestParse(t *testing.T) {
	got, ok := Parse([]byte("2026-11-22T12:00:00.123456Z calc-2 err a  b "))
	if want := (Line{Time: noon, Name: "calc-2", Stream: StreamErr, Text: "a  b "}); !ok || got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, text := range []string{
		"",
		"panic: runtime error: index out of range",
		"2026-11-22T12:00:00.123456Z",
		"2026-11-22T12:00:00.123456Z math",
		"2026-11-22T12:00:00.123456Z math log",
		"2026-11-22T12:00:00.123456Z math loud text",
		"2026-11-22T12:00:00.123456Z Math log text",
		"2026-11-22T12:00:00.123456Z  log text",
		"2026-11-22T12:00:00.123456  math log text",
		"2026-11-22T12:00:00.12345Z math log text",
		"2026-13-22T12:00:00.123456Z math log text",
		" 2026-11-22T12:00:00.123456Z math log text",
		"2026-11-22T12:00:00.123456Z " + strings.Repeat("n", 64) + " log text",
	} {
		got, ok := Parse([]byte(text))
		if want := (Line{Name: Master, Stream: StreamErr, Text: text}); ok || got != want {
			t.Errorf("%q: got %+v, %t", text, got, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("2026-11-22T12:00:00.123456Z math out hello"))
	f.Add([]byte("goroutine 1 [running]:"))
	f.Add([]byte("2026-11-22T12:00:00.123456Z master log the log continues at offset 12"))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, ok := Parse(text)
		if !ok {
			if l.Text != string(text) || !l.Time.IsZero() || l.Name != Master || l.Stream != StreamErr {
				t.Errorf("%q became %+v", text, l)
			}
			return
		}
		// What has the form of a line is made again of its parts, byte for byte, as
		// long as it is one line.
		if bytes.IndexByte(text, '\n') < 0 && len(l.Text) <= maxText {
			if again := AppendLine(nil, l.Time, l.Name, l.Stream, l.Text); string(again) != string(text)+"\n" {
				t.Errorf("%q became %q", text, again)
			}
		}
		h, ok := parseHead(text)
		if !ok || !h.time.Equal(l.Time) || string(h.name) != l.Name || h.stream != l.Stream || string(text[h.size:]) != l.Text {
			t.Errorf("%q begins with %+v", text, h)
		}
	})
}

func FuzzWrittenTextComesBack(f *testing.F) {
	f.Add("math", []byte("one\ntwo\n\nthree"))
	f.Add("", bytes.Repeat([]byte("0123456789"), 10000))
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		lines := bytes.SplitAfter(appendText(nil, noon, name, StreamOut, text, 1000), []byte{'\n'})
		var got []string
		joined := ""
		for _, line := range lines[:len(lines)-1] {
			l, ok := Parse(line[:len(line)-1])
			if !ok || len(l.Text) > 1001 {
				t.Fatalf("%q", line)
			}
			joined += l.Text
			if len(l.Text) == 1001 {
				joined = strings.TrimSuffix(joined, "\\")
				continue
			}
			got = append(got, joined)
			joined = ""
		}
		if want := strings.Split(string(text), "\n"); !slices.Equal(got, want) {
			t.Errorf("%q became %q", want, got)
		}
	})
}
