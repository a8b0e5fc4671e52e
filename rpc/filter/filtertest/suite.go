package filtertest

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/dserver/dserver/rpc/filter"
	"github.com/dserver/dserver/rpc/internal/alloctest"
)

// Suite is a filter, and what it is tried with.
type Suite struct {
	Filter filter.Filter
	ID     byte
	Name   string

	Detects bool      // it finds out that a bit was changed, whichever it is
	Refused []Refused // bytes that are nothing that it packed
	Bombs   []Bomb    // bytes that become, or say that they become, more than they may
}

// Refused are bytes that cannot be unpacked, and what the error says.
type Refused struct {
	Bytes, Want string
	Is          error // that the error wraps, if any
}

// Bomb are bytes that cannot be unpacked to Limit bytes, and must not cost more memory
// than Most bytes. What is too large is said to be so, what is a lie need not be.
type Bomb struct {
	Name  string
	Bytes string
	Limit int
	Most  uint64
	Lie   bool
}

// Run checks everything.
func (s Suite) Run(t *testing.T) {
	t.Run("identity", s.identity)
	t.Run("round trip", s.roundTrip)
	t.Run("limit", s.limit)
	t.Run("cut short", s.cutShort)
	t.Run("changed", s.changed)
	t.Run("refused", s.refused)
	t.Run("bombs", s.bombs)
	t.Run("kept", s.kept)
	t.Run("concurrency", s.concurrency)
}

func (s Suite) identity(t *testing.T) {
	r, err := filter.NewRegistry(s.Filter)
	if err != nil {
		t.Fatal(err)
	}
	if f, ok := r.Lookup(s.ID); !ok || f.Name() != s.Name {
		t.Errorf("%q is %v", s.ID, f)
	}
	if f, ok := r.Named(s.Name); !ok || f.ID() != s.ID {
		t.Errorf("%q is %v", s.Name, f)
	}
}

// samples are bytes that can be compressed and bytes that cannot, of lengths about
// which filters are particular.
func samples() [][]byte {
	source := rand.NewChaCha8([32]byte{'f', 'i', 'l', 't', 'e', 'r'})
	random := make([]byte, 150<<10)
	_, _ = source.Read(random)
	text := []byte(strings.Repeat(`{"id":17,"items":["tea","pot"]}`, 10000))
	list := [][]byte{make([]byte, 1<<20)}
	for _, n := range []int{0, 1, 15, 16, 17, 100, 1023, 1025, 64 << 10, 64<<10 + 1, 150 << 10} {
		list = append(list, random[:n], text[:n])
	}
	return list
}

func (s Suite) pack(t testing.TB, src []byte) []byte {
	t.Helper()
	packed, err := s.Filter.AppendPack(nil, src)
	if err != nil {
		t.Fatalf("packing %d bytes: %v", len(src), err)
	}
	return packed
}

// behind gives bytes that stand before a result, with or without room behind them.
func behind(room int) []byte { return append(make([]byte, 0, 6+room), "before"...) }

// roundTrip: what was packed comes back, behind what was there, and the source stays
// as it was.
func (s Suite) roundTrip(t *testing.T) {
	for _, src := range samples() {
		for _, room := range []int{0, 100, 8 << 20} {
			before := bytes.Clone(src)
			packed, err := s.Filter.AppendPack(behind(room), src)
			if err != nil || !bytes.HasPrefix(packed, []byte("before")) || !bytes.Equal(src, before) {
				t.Fatalf("packing %d bytes with room for %d: got %.20q, %v", len(src), room, packed, err)
			}
			wire := bytes.Clone(packed[len("before"):])
			packed = bytes.Clone(wire)
			back, err := s.Filter.AppendUnpack(behind(room), wire, 0)
			if err != nil || string(back[:6]) != "before" || !bytes.Equal(back[6:], src) {
				t.Fatalf("unpacking %d bytes with room for %d: got %d bytes, %v", len(src), room, len(back)-6, err)
			}
			if !bytes.Equal(wire, packed) {
				t.Fatalf("unpacking %d bytes changed them", len(src))
			}
		}
	}
}

// limit: exactly as many as allowed come back, one more does not.
func (s Suite) limit(t *testing.T) {
	for _, src := range samples() {
		packed := s.pack(t, src)
		if len(src) > 0 {
			if back, err := s.Filter.AppendUnpack(nil, packed, len(src)); err != nil || !bytes.Equal(back, src) {
				t.Errorf("%d bytes of exactly the limit: got %d, %v", len(src), len(back), err)
			}
		}
		if len(src) > 1 {
			back, err := s.Filter.AppendUnpack(behind(0), packed, len(src)-1)
			if !errors.Is(err, filter.ErrTooLarge) || string(back) != "before" {
				t.Errorf("%d bytes, one more than the limit: got %d, %v", len(src), len(back), err)
			}
		}
	}
}

// fails checks that bytes are refused, and that the result is what was there.
func (s Suite) fails(t *testing.T, packed []byte, what string) {
	t.Helper()
	out, err := s.Filter.AppendUnpack(behind(1000), packed, 1<<20)
	if err == nil || err.Error() == "" || string(out) != "before" {
		t.Errorf("%s: got %.100q, %v", what, out, err)
	}
}

func (s Suite) cutShort(t *testing.T) {
	for _, src := range samples() {
		packed := s.pack(t, src)
		for n := range len(packed) {
			if n < 50 || n >= len(packed)-20 {
				s.fails(t, packed[:n:n], "without its end")
			}
		}
		s.fails(t, append(bytes.Clone(packed), 'x'), "with a byte behind it")
	}
}

// changed: one bit of a message is another.
func (s Suite) changed(t *testing.T) {
	for _, src := range samples() {
		if len(src) > 200 {
			continue
		}
		packed := s.pack(t, src)
		for bit := range 8 * len(packed) {
			packed[bit/8] ^= 1 << (bit % 8)
			switch out, err := s.Filter.AppendUnpack(behind(1000), packed, 1<<20); {
			case s.Detects && err == nil:
				t.Errorf("bit %d of a message of %d bytes can be changed", bit, len(src))
			case err != nil && string(out) != "before":
				t.Errorf("bit %d of a message of %d bytes: got %.100q, %v", bit, len(src), out, err)
			}
			packed[bit/8] ^= 1 << (bit % 8)
		}
	}
}

func (s Suite) refused(t *testing.T) {
	for _, r := range append(s.Refused, Refused{Bytes: ""}) {
		out, err := s.Filter.AppendUnpack(behind(1000), []byte(r.Bytes), 1<<20)
		if err == nil || string(out) != "before" || !strings.Contains(err.Error(), r.Want) || r.Is != nil && !errors.Is(err, r.Is) {
			t.Errorf("%q: got %.100q, %v, want %q", r.Bytes, out, err, r.Want)
		}
	}
}

func (s Suite) bombs(t *testing.T) {
	for _, b := range s.Bombs {
		_, _ = s.Filter.AppendUnpack(nil, s.pack(t, []byte("warm")), 0) // what it keeps for the next message is no part of this one
		var out []byte
		var err error
		packed := []byte(b.Bytes)
		got := alloctest.Bytes(b.Most, func() func() {
			return func() { out, err = s.Filter.AppendUnpack(nil, packed, b.Limit) }
		})
		if err == nil || out != nil || !b.Lie && !errors.Is(err, filter.ErrTooLarge) {
			t.Errorf("%s: got %d bytes, %v", b.Name, len(out), err)
		}
		if got > b.Most {
			t.Errorf("%s: unpacking %d bytes allocated %d, the most is %d (error: %v)", b.Name, len(b.Bytes), got, b.Most, err)
		}
	}
}

// kept: when a large message is done, nobody holds its memory.
func (s Suite) kept(t *testing.T) {
	packed := s.pack(t, make([]byte, 16<<20))
	before := heap()
	size := func() int {
		out, err := s.Filter.AppendUnpack(nil, packed, 0)
		if err != nil {
			t.Error(err)
		}
		return len(out)
	}()
	if after := heap(); after > before+4<<20 || size != 16<<20 {
		t.Errorf("%d bytes are held after a message of %d", after-before, size)
	}
	runtime.KeepAlive(packed)
}

// heap tells how many bytes are in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// concurrency is for the race detector.
func (s Suite) concurrency(t *testing.T) {
	var small [][]byte
	for _, src := range samples() {
		if len(src) < 2000 {
			small = append(small, src)
		}
	}
	var w sync.WaitGroup
	for range 8 {
		w.Go(func() {
			for range 20 {
				for _, src := range small {
					packed, err := s.Filter.AppendPack(nil, src)
					if err == nil {
						packed, err = s.Filter.AppendUnpack(nil, packed, 1<<20)
					}
					if err != nil || !bytes.Equal(packed, src) {
						t.Errorf("%d bytes: got %d, %v", len(src), len(packed), err)
						return
					}
				}
			}
		})
	}
	w.Wait()
}

// Fuzz checks that whatever comes in costs no more than the limit allows, and that
// what is packed comes back. Its seeds are the bytes of the suite.
func (s Suite) Fuzz(f *testing.F) {
	for _, src := range samples() {
		f.Add(s.pack(f, src[:min(len(src), 1000)]))
	}
	for _, r := range s.Refused {
		f.Add([]byte(r.Bytes))
	}
	for _, b := range s.Bombs {
		f.Add([]byte(b.Bytes[:min(len(b.Bytes), 1000)]))
	}
	const limit = 64 << 10
	f.Fuzz(func(t *testing.T, in []byte) {
		var out []byte
		var err error
		// Twice the limit while it grows, and what the filter keeps.
		got := alloctest.Bytes(4<<20, func() func() {
			return func() { out, err = s.Filter.AppendUnpack(behind(0), in, limit) }
		})
		if got > 4<<20 {
			t.Fatalf("unpacking %d bytes allocated %d (error: %v)", len(in), got, err)
		}
		if !bytes.HasPrefix(out, []byte("before")) || err != nil && len(out) > 6 || len(out) > 6+limit {
			t.Fatalf("got %d bytes, %v", len(out), err)
		}
		if back, err := s.Filter.AppendUnpack(nil, s.pack(t, in), 0); err != nil || !bytes.Equal(back, in) {
			t.Fatalf("got %x, %v, want %x", back, err, in)
		}
	})
}
