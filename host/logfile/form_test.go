package logfile

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestJSONLine(t *testing.T) {
	f := jsonForm{}
	head := f.head(nil, noon, Source{Name: "web", Stream: StreamErr, Instance: 2, Generation: 31})
	got := string(f.line(nil, head, []byte("say \"hi\"\\\t\x00\xff"), endsLine))
	want := `{"time":"2026-11-22T12:00:00.123456Z","name":"web","stream":"err","instance":2,"generation":31,"text":"say \"hi\"\\\t\u0000` + "\ufffd\"}\n"
	if got != want {
		t.Errorf("got %q", got)
	}
	head = f.head(nil, noon, Source{Name: "web", Stream: StreamOut})
	if got, want := string(f.line(nil, head, []byte("begin"), endsPart)), `{"time":"2026-11-22T12:00:00.123456Z","name":"web","stream":"out","text":"begin","part":true}`+"\n"; got != want {
		t.Errorf("got %q", got)
	}
	l, ok := f.parse([]byte(`{"time":"2026-11-22T12:00:00.123456Z","name":"web","stream":"out","generation":7,"text":"begin","part":true}`))
	if want := (Line{Time: noon, Name: "web", Generation: 7, Stream: "out", Text: `begin\`}); !ok || l != want {
		t.Errorf("got %+v", l)
	}
	for _, text := range []string{
		``, `{}`, `{"time":"2026-11-22T12:00:00.123456Z"`, `{"time":"2026-13-22T12:00:00.123456Z","name":"web","stream":"out","text":""}`,
		`{"time":"2026-11-22T12:00:00.123456Z","name":"web","stream":"loud","text":""}`,
		`{"time":"2026-11-22T12:00:00.123456Z","name":"web","stream":"out","text":"`,
		`{"time":"2026-11-22T12:00:00.123456Z","name":"web","stream":"out","text":7}`,
		` {"time":"2026-11-22T12:00:00.123456Z","name":"web","stream":"out","text":""}`,
		`2026-11-22T12:00:00.123456Z web out text`,
	} {
		if l, ok := f.parse([]byte(text)); ok {
			t.Errorf("%s became %+v", text, l)
		}
	}
}

func TestTimesAreReadStrictly(t *testing.T) {
	for _, text := range []string{
		"2026-02-29T12:00:00.000000Z", "2026-00-01T12:00:00.000000Z", "2026-01-00T12:00:00.000000Z", "2026-01-01T24:00:00.000000Z",
		"2026-01-01T00:60:00.000000Z", "2026-01-01T00:00:60.000000Z", "2026-01-01T00:00:00,000000Z", "2026-01-01T00:00:00.000000z",
		"+026-01-01T00:00:00.000000Z",
	} {
		if got, ok := parseTime([]byte(text)); ok {
			t.Errorf("%s is %v", text, got)
		}
	}
	for _, want := range []string{"2024-02-29T23:59:59.999999Z", "0000-01-01T00:00:00.000000Z", "9999-12-31T00:00:00.000001Z"} {
		got, ok := parseTime([]byte(want))
		if !ok || got.Format(timeLayout) != want || got.Location() != time.UTC {
			t.Errorf("%s is %v, %t", want, got, ok)
		}
	}
}

func FuzzJSONTextComesBack(f *testing.F) {
	f.Add([]byte("plain"), false)
	f.Add([]byte("\x00\x1f\"\\/\u2028\xed\xa0\x80\xf0\x9f\x98\x80\xf0\x9f"), true)
	f.Fuzz(func(t *testing.T, text []byte, part bool) {
		form, end := jsonForm{}, endsLine
		if part {
			end = endsPart
		}
		line := form.line(nil, form.head(nil, noon, Source{Name: "a", Stream: StreamOut}), text, end)
		if !json.Valid(line) || bytes.Count(line, []byte{'\n'}) != 1 || len(line) > maxRead(form) && len(text) <= maxText {
			t.Fatalf("%q became %q", text, line)
		}
		want, err := json.Marshal(string(text)) // replaces what is no UTF-8 in its way
		if err != nil {
			t.Fatal(err)
		}
		var same string
		if err := json.Unmarshal(want, &same); err != nil {
			t.Fatal(err)
		}
		if part {
			same += `\`
		}
		if l, ok := form.parse(bytes.TrimSuffix(line, []byte{'\n'})); !ok || l.Text != same {
			t.Errorf("%q became %q", text, l.Text)
		}
	})
}

// Whatever comes in whatever chunks, the lines of all formats tell the same, and
// the raw one has the very bytes.
func FuzzSinksAgree(f *testing.F) {
	f.Add([]byte("one\ntwo\n\nthree"), 2)
	f.Add(bytes.Repeat([]byte("0123456789"), 20000), 70000)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		size = min(max(size, 1), 1<<20)
		texts := make(map[Format][]string)
		for _, format := range []Format{Text, JSON, Raw} {
			form, err := formOf(format)
			if err != nil {
				t.Fatal(err)
			}
			w := &Writer{form: form, kick: make(chan struct{}, 1)}
			sink := w.Sink(Source{Name: "a", Stream: StreamOut})
			var all []byte
			take := func() { all, w.batch = append(all, w.batch...), nil }
			for chunk := range slices.Chunk(stream, size) {
				for part := range slices.Chunk(chunk, maxBatch/2) { // less than makes it write
					sink.Write(part)
					take()
				}
			}
			sink.Finish()
			take()
			if format == Raw {
				if !bytes.Equal(all, stream) {
					t.Errorf("%d bytes became %d", len(stream), len(all))
				}
				continue
			}
			for line := range strings.Lines(string(all)) {
				l, ok := form.parse([]byte(strings.TrimSuffix(line, "\n")))
				if !ok {
					t.Fatalf("%s: %.100q", format, line)
				}
				texts[format] = append(texts[format], strings.ToValidUTF8(l.Text, ""))
			}
		}
		// JSON has U+FFFD for each byte that is no UTF-8.
		for i, text := range texts[JSON] {
			texts[JSON][i] = strings.ReplaceAll(text, "\ufffd", "")
		}
		for i, text := range texts[Text] {
			texts[Text][i] = strings.ReplaceAll(text, "\ufffd", "")
		}
		if !slices.Equal(texts[Text], texts[JSON]) {
			t.Errorf("%d lines of text, %d of JSON", len(texts[Text]), len(texts[JSON]))
		}
	})
}

func BenchmarkSink(b *testing.B) {
	chunk := bytes.Repeat(append(bytes.Repeat([]byte("x"), 99), '\n'), 650)
	for _, format := range []Format{Text, JSON, Raw} {
		b.Run(string(format), func(b *testing.B) {
			w, err := Open(Options{Path: b.TempDir() + "/log", Format: format, MaxSize: 64 << 20, Owner: true})
			if err != nil {
				b.Fatal(err)
			}
			defer w.Close()
			sink := w.Sink(Source{Name: "web", Stream: StreamOut, Instance: 1, Generation: 1})
			b.SetBytes(int64(len(chunk)))
			b.ReportAllocs()
			for b.Loop() {
				sink.Write(chunk)
			}
		})
	}
}
