package ws

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// FuzzSplitter: however frames are cut, the same messages come out, and nothing panics.
func FuzzSplitter(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 'a', 0, 0, 0, 0, 0, 0, 0, 2, 'b', 'c'}, byte(3))
	f.Add([]byte{0, 0, 0, 1}, byte(1))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1}, byte(2))
	f.Add([]byte{0, 0, 1, 0}, byte(9))
	f.Fuzz(func(t *testing.T, in []byte, step byte) {
		var wholes, parts [][]byte
		collect := func(to *[][]byte) func([]byte) error {
			return func(payload []byte) error {
				*to = append(*to, bytes.Clone(payload))
				return nil
			}
		}
		whole, cut := splitter{limit: 200}, splitter{limit: 200}
		_, errWhole := whole.write(in, collect(&wholes))
		var errCut error
		for rest := in; len(rest) > 0 && errCut == nil; {
			n := min(int(step)+1, len(rest))
			took := 0
			took, errCut = cut.write(rest[:n], collect(&parts))
			if took > n || took < n && errCut == nil {
				t.Fatalf("took %d of %d bytes, error %v", took, n, errCut)
			}
			rest = rest[n:]
		}
		if (errWhole == nil) != (errCut == nil) || len(wholes) != len(parts) {
			t.Fatalf("at once %d messages, %v; in steps of %d %d messages, %v", len(wholes), errWhole, int(step)+1, len(parts), errCut)
		}
		var back []byte
		for i := range wholes {
			if !bytes.Equal(wholes[i], parts[i]) {
				t.Fatalf("message %d is %x or %x", i, wholes[i], parts[i])
			}
			back = append(binary.BigEndian.AppendUint32(back, uint32(len(wholes[i]))), wholes[i]...)
		}
		if !bytes.HasPrefix(in, back) {
			t.Fatalf("out of %x came %x", in, back)
		}
		if len(cut.part) > 204 {
			t.Fatalf("keeps %d bytes", len(cut.part))
		}
	})
}

func TestSplitterIsBrokenAfterAnError(t *testing.T) {
	errTest := errors.New("test")
	s := splitter{limit: 10}
	calls := 0
	emit := func([]byte) error {
		calls++
		return errTest
	}
	for range 2 {
		if _, err := s.write([]byte{0, 0, 0, 0}, emit); !errors.Is(err, errTest) || calls != 1 {
			t.Errorf("got %v, %d calls", err, calls)
		}
	}
	s = splitter{limit: 10}
	for _, b := range []byte{0, 0, 0, 11} {
		_, err := s.write([]byte{b}, emit)
		if (err != nil) != (b == 11) {
			t.Errorf("at %d: %v", b, err)
		}
	}
	if n, err := s.write([]byte("x"), emit); n != 0 || err == nil || !strings.Contains(err.Error(), "the most is 10") {
		t.Errorf("wrote %d, %v", n, err)
	}
}

// TestSplitterKeepsNoBigBuffer for who writes small messages after a big one.
func TestSplitterKeepsNoBigBuffer(t *testing.T) {
	s := splitter{limit: 1 << 20}
	b := append(binary.BigEndian.AppendUint32(nil, 1<<20), make([]byte, 1<<20)...)
	for _, part := range [][]byte{b[:5], b[5:]} {
		if _, err := s.write(part, func([]byte) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if cap(s.part) > firstBuffer {
		t.Errorf("keeps %d bytes", cap(s.part))
	}
}
