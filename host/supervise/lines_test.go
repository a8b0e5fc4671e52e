package supervise

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

type piece struct {
	text string
	cut  bool
}

func split(chunks ...string) []piece {
	var got []piece
	s := EachLine(func(line []byte, cut bool) { got = append(got, piece{string(line), cut}) })
	for _, chunk := range chunks {
		s.Write([]byte(chunk))
	}
	s.Finish()
	return got
}

func TestSplitter(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	for _, test := range []struct {
		name   string
		chunks []string
		want   []piece
	}{
		{"nothing", nil, nil},
		{"lines", []string{"a\nb\n"}, []piece{{"a", false}, {"b", false}}},
		{"empty lines", []string{"\n\n"}, []piece{{"", false}, {"", false}}},
		{"unfinished", []string{"a\nb"}, []piece{{"a", false}, {"b", false}}},
		{"over chunks", []string{"a", "b", "\nc", "\n"}, []piece{{"ab", false}, {"c", false}}},
		{"bytes stay", []string{"\r\x00\xff\r\n"}, []piece{{"\r\x00\xff\r", false}}},
		{"just fits", []string{long, "\n"}, []piece{{long, false}}},
		{"just fits at once", []string{long + "\n"}, []piece{{long, false}}},
		{"one too long", []string{long, "y\n"}, []piece{{long, true}, {"y", false}}},
		{"one too long at once", []string{long + "y\n"}, []piece{{long, true}, {"y", false}}},
		{"three pieces", []string{"z" + long + long, "\nb\n"}, []piece{{"z" + long[1:], true}, {long, true}, {"x", false}, {"b", false}}},
		{"long and unfinished", []string{long + long}, []piece{{long, true}, {long, false}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := split(test.chunks...); !slices.Equal(got, test.want) {
				t.Errorf("got %d pieces, want %d; the first differs from %.40q", len(got), len(test.want), test.chunks)
			}
		})
	}
}

func FuzzSplitterLosesNothing(f *testing.F) {
	f.Add([]byte("one\ntwo\n\nthree"), 2)
	f.Add(bytes.Repeat([]byte("0123456789"), 20000), 70000)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		size = min(max(size, 1), 1<<20)
		var got bytes.Buffer
		s := EachLine(func(line []byte, cut bool) {
			if len(line) > maxLine || bytes.IndexByte(line, '\n') >= 0 || cut && len(line) != maxLine {
				t.Fatalf("a line of %d bytes, cut %t", len(line), cut)
			}
			got.Write(line)
			if !cut {
				got.WriteByte('\n')
			}
		})
		for chunk := range slices.Chunk(stream, size) {
			s.Write(chunk)
		}
		s.Finish()
		want := string(stream)
		if want != "" && !strings.HasSuffix(want, "\n") {
			want += "\n"
		}
		if got.String() != want {
			t.Errorf("%d bytes in, %d out", len(want), got.Len())
		}
	})
}
