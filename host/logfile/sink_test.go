package logfile_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/host/logfile"
)

func TestSinkWritesLines(t *testing.T) {
	long := strings.Repeat("x", 64<<10)
	for _, test := range []struct {
		name   string
		chunks []string
		want   []string
	}{
		{"nothing", nil, nil},
		{"lines", []string{"a\nb\n"}, []string{"a", "b"}},
		{"empty lines", []string{"\n\n"}, []string{"", ""}},
		{"unfinished", []string{"a\nb"}, []string{"a", "b"}},
		{"over chunks", []string{"a", "b", "\nc", "\n"}, []string{"ab", "c"}},
		{"bytes stay", []string{"\r\x00\xff\r\n"}, []string{"\r\x00\xff\r"}},
		{"just fits", []string{long, "\n"}, []string{long}},
		{"just fits at once", []string{long + "\n"}, []string{long}},
		{"one too long", []string{long, "y\n"}, []string{long + `\`, "y"}},
		{"one too long at once", []string{long + "y\n"}, []string{long + `\`, "y"}},
		{"three pieces", []string{"z" + long + long, "\nb\n"}, []string{"z" + long[1:] + `\`, long + `\`, "x", "b"}},
		{"long and unfinished", []string{long + long}, []string{long + `\`, long}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := open(t, logfile.Options{Path: newPath(t)})
			sink := w.Sink(logfile.Source{Name: "calc", Stream: logfile.StreamErr})
			for _, chunk := range test.chunks {
				sink.Write([]byte(chunk))
			}
			sink.Finish()
			got := read(t, w.Reader(), 0, "calc")
			if !slices.Equal(texts(got), test.want) || len(got) > 0 && got[0].Stream != "err" {
				t.Errorf("got %d lines, want %d", len(got), len(test.want))
			}
		})
	}
}

func TestSinkGoesOnWithARest(t *testing.T) {
	w := open(t, logfile.Options{Path: newPath(t)})
	source := logfile.Source{Name: "calc", Stream: logfile.StreamOut}
	first := w.Sink(source)
	first.Write([]byte("one\nbegun "))
	if got := string(first.Rest()); got != "begun " {
		t.Fatalf("the rest is %q", got)
	}
	second := w.Sink(source)
	second.Write(first.Rest())
	second.Write([]byte("and ended\nthree\n"))
	if got := second.Rest(); len(got) != 0 {
		t.Errorf("the rest is %q", got)
	}
	if got, want := texts(read(t, w.Reader(), 0, "")), []string{"one", "begun and ended", "three"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestRelayLetsLoggedLinesThrough(t *testing.T) {
	w := open(t, logfile.Options{Path: newPath(t)})
	relay := w.Relay(logfile.Source{Name: "calc", Stream: logfile.StreamErr})
	var out bytes.Buffer
	logfile.Direct(&out).Line(time.Unix(1, 0), "math", logfile.StreamLog, []byte("from a logger"))
	relay.Write(out.Bytes())
	relay.Write([]byte("panic: no\n"))
	relay.Write(bytes.Replace(out.Bytes(), []byte(" log "), []byte(" out "), 1))
	got := read(t, w.Reader(), 0, "")
	if len(got) != 3 || got[0].Name != "math" || !got[0].Time.Equal(time.Unix(1, 0)) || got[0].Text != "from a logger" {
		t.Fatalf("got %+v", got)
	}
	for i, l := range got[1:] {
		if l.Name != "calc" || l.Stream != logfile.StreamErr {
			t.Errorf("line %d is %+v", i+1, l)
		}
	}
}
