package supervise

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// tailOf brings a stream into a tail, in chunks of a size.
func tailOf(stream []byte, size int) []string {
	var t tail
	f := tailFeed{tail: &t}
	for chunk := range slices.Chunk(stream, size) {
		f.write(chunk)
	}
	f.finish()
	return t.list()
}

func TestTailKeepsTheNewest(t *testing.T) {
	var stream []byte
	for i := range 1000 {
		stream = fmt.Appendf(stream, "line %d\n", i)
	}
	stream = append(stream, "unfinished"...)
	for _, size := range []int{1, 2, 7, 9, 64, 500, 5000, len(stream)} {
		got := tailOf(stream, size)
		if len(got) != 50 || got[0] != "line 951" || got[48] != "line 999" || got[49] != "unfinished" {
			t.Errorf("in chunks of %d: %q", size, got)
		}
	}
	if got := tailOf([]byte("a\n\nb\n"), 2); !slices.Equal(got, []string{"a", "", "b"}) {
		t.Errorf("got %q", got)
	}
	if got := tailOf(nil, 1); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

func TestTailIsBounded(t *testing.T) {
	var tl tail
	f := tailFeed{tail: &tl}
	long := bytes.Repeat([]byte("x"), 100_000)
	for range 200 {
		f.write(long)
		f.write(append(slices.Clone(long), '\n'))
	}
	got := tl.list()
	if len(got) != 50 || slices.ContainsFunc(got, func(line string) bool { return len(line) != 4096 }) {
		t.Errorf("%d lines, the first of %d bytes", len(got), len(got[0]))
	}
	if c := cap(tl.text) + cap(f.part); c > 1<<20 {
		t.Errorf("it keeps %d bytes", c)
	}
}

func TestTailMixesStreams(t *testing.T) {
	var tl tail
	out, err := tailFeed{tail: &tl}, tailFeed{tail: &tl}
	out.write([]byte("one\ntw"))
	err.write([]byte("three\nfo"))
	out.write([]byte("o\n"))
	err.write([]byte("ur\n"))
	if got := strings.Join(tl.list(), " "); got != "one three two four" {
		t.Errorf("got %q", got)
	}
}
