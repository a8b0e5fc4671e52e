package codectest

import (
	"bytes"
	"strings"
	"testing"
)

// share is the most bytes of memory that a byte of a body may take, and room what any
// body may take besides. An empty map is one byte of a message.
const (
	share = 512
	room  = 64 << 10
)

// Fuzz decodes what comes into each of the targets, whose maps must be of kinds that
// the codec writes in order: nothing may panic or take memory out of proportion, and
// what was read has a form that is read as the same again. Its seeds are the bodies of
// the suite.
func (s Suite) Fuzz(f *testing.F, targets ...func() any) {
	seed := func(body []byte) { f.Add(body[:min(len(body), 1000)]) }
	for _, v := range s.Values {
		seed(s.encode(f, v))
	}
	for _, r := range append(s.Recorded[:len(s.Recorded):len(s.Recorded)], s.ReadOnly...) {
		seed([]byte(r.Bytes))
	}
	for _, r := range s.Broken {
		seed([]byte(r.Bytes))
	}
	for _, small := range s.Small {
		seed([]byte(small.Bytes))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, fresh := range targets {
			s.stable(t, in, fresh)
		}
	})
}

func (s Suite) stable(t *testing.T, in []byte, fresh func() any) {
	first, second := fresh(), fresh()
	most := uint64(room + share*len(in))
	if got, err := s.memoryOf(most, in, first); got > most {
		t.Fatalf("decoding %d bytes into %T allocated %d (error: %v)", len(in), first, got, err)
	}
	if s.Codec.Unmarshal(in, first) != nil {
		return
	}
	b, err := s.Codec.Marshal(first)
	if err != nil {
		if s.OneWay == "" || !strings.Contains(err.Error(), s.OneWay) {
			t.Fatalf("%T from %.100q: %v", first, in, err)
		}
		return
	}
	if len(b) == 0 {
		return // which is no body at all, and never decoded
	}
	if err := s.Codec.Unmarshal(b, second); err != nil {
		t.Fatalf("%T from %.100q: %v", second, b, err)
	}
	if again := s.encode(t, second); !bytes.Equal(b, again) {
		t.Fatalf("%.200x was read as what is %.200x, and that as what is %.200x", in, b, again)
	}
}
