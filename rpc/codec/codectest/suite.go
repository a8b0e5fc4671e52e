package codectest

import (
	"bytes"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/internal/alloctest"
)

// Suite is a codec, and what it is tried with.
type Suite struct {
	Codec codec.Codec
	ID    byte
	Name  string

	Values   []any     // that come back as they were; pointers, if the codec asks for them
	Recorded []Body    // that older writers made, and that it makes and reads alike
	ReadOnly []Body    // that it reads; it makes others of the same value
	Refused  []Refusal // values that it cannot encode, besides those that no codec can
	Broken   []Broken  // bodies that it cannot decode
	Small    []Small   // bodies that could become large

	// OneWay is part of the error of values that it reads and cannot write, as its
	// documentation says; empty is none. It is for Fuzz.
	OneWay string

	Equal func(a, b any) bool // default reflect.DeepEqual
}

// Body is what a value is as bytes. Those of nil are made, not read.
type Body struct {
	Value any
	Bytes string
}

// Refusal is a value that cannot be encoded, and what the error says.
type Refusal struct {
	Value any
	Want  string
}

// Broken is a body that cannot be decoded into what Target points at, and what the
// error says.
type Broken struct {
	Bytes  string
	Target any
	Want   string
}

// Small is a body that must not cost more memory than it may, read or refused.
type Small struct {
	Name   string
	Bytes  string
	Target any
	Most   uint64 // bytes
}

// Run checks everything.
func (s Suite) Run(t *testing.T) {
	if s.Equal == nil {
		s.Equal = reflect.DeepEqual
	}
	if len(s.Values) == 0 {
		t.Fatal("the suite has no values")
	}
	t.Run("identity", s.identity)
	t.Run("round trip", s.roundTrip)
	t.Run("recorded", s.recorded)
	t.Run("nil", s.nothing)
	t.Run("refusals", s.refusals)
	t.Run("cut short", s.cutShort)
	t.Run("memory", s.memory)
	t.Run("concurrency", s.concurrency)
}

func (s Suite) identity(t *testing.T) {
	r, err := codec.NewRegistry(s.Codec)
	if err != nil {
		t.Fatal(err)
	}
	if c, ok := r.Lookup(s.ID); !ok || c.Name() != s.Name {
		t.Errorf("%q is %v", s.ID, c)
	}
	if c, ok := r.Named(s.Name); !ok || c.ID() != s.ID {
		t.Errorf("%q is %v", s.Name, c)
	}
}

// target makes what a value like v can be decoded into: a pointer to its type, or, for
// a pointer, to what it points at.
func target(v any) any {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return reflect.New(t).Interface()
}

// like gives what a target holds in the shape of v.
func like(v, target any) any {
	if reflect.TypeOf(v).Kind() == reflect.Pointer {
		return target
	}
	return reflect.ValueOf(target).Elem().Interface()
}

// pointer makes a pointer to v.
func pointer(v any) reflect.Value {
	p := reflect.New(reflect.TypeOf(v))
	p.Elem().Set(reflect.ValueOf(v))
	return p
}

func (s Suite) encode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := s.Codec.Marshal(v)
	if err != nil {
		t.Fatalf("%T: %v", v, err)
	}
	return b
}

func (s Suite) decode(t testing.TB, b []byte, v any) {
	t.Helper()
	if err := s.Codec.Unmarshal(b, v); err != nil {
		t.Fatalf("%T from %.100q: %v", v, b, err)
	}
}

// roundTrip: a value comes back, from bytes that are the reader's alone, through
// pointers too.
func (s Suite) roundTrip(t *testing.T) {
	for _, v := range s.Values {
		b := s.encode(t, v)
		got := target(v)
		wire := bytes.Clone(b)
		s.decode(t, wire, got)
		for i := range wire {
			wire[i] ^= 0xff // what was read must keep nothing of it
		}
		if !s.Equal(like(v, got), v) {
			t.Errorf("%T: got %+v, want %+v, by %.100q", v, like(v, got), v, b)
		}
		again := target(v)
		s.decode(t, s.encode(t, pointer(v).Interface()), again)
		if !s.Equal(like(v, again), v) {
			t.Errorf("a pointer to %T: got %+v, want %+v", v, like(v, again), v)
		}
		indirect := reflect.New(reflect.TypeOf(target(v))) // a pointer to a nil pointer
		s.decode(t, b, indirect.Interface())
		if made := indirect.Elem(); made.IsNil() || !s.Equal(like(v, made.Interface()), v) {
			t.Errorf("through a nil pointer: got %+v, want %+v", made, v)
		}
	}
}

func (s Suite) recorded(t *testing.T) {
	for _, r := range s.Recorded {
		if b := s.encode(t, r.Value); string(b) != r.Bytes {
			t.Errorf("%T: got %q, want %q", r.Value, b, r.Bytes)
		}
	}
	for _, r := range append(s.Recorded[:len(s.Recorded):len(s.Recorded)], s.ReadOnly...) {
		if v := reflect.ValueOf(r.Value); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
			continue
		}
		got := target(r.Value)
		s.decode(t, []byte(r.Bytes), got)
		if !s.Equal(like(r.Value, got), r.Value) {
			t.Errorf("%q: got %+v, want %+v", r.Bytes, like(r.Value, got), r.Value)
		}
	}
}

// nothing: nil has a form or is refused, and cannot be a target.
func (s Suite) nothing(t *testing.T) {
	if _, err := s.Codec.Marshal(nil); err != nil {
		t.Errorf("nil: %v", err)
	}
	for _, v := range s.Values {
		b := s.encode(t, v)
		none := reflect.Zero(reflect.TypeOf(target(v))).Interface()
		_, _ = s.Codec.Marshal(none) // that it does not panic is enough
		for _, bad := range []any{none, reflect.Zero(reflect.PointerTo(reflect.TypeOf(none))).Interface(), nil} {
			if err := s.Codec.Unmarshal(b, bad); err == nil {
				t.Errorf("decoded into a nil %T", bad)
			}
		}
	}
}

// Types that no codec has a form for.
func impossible() []any {
	return []any{func() {}, make(chan int), complex(1, 2), new(func()), new(chan int), new(complex128)}
}

func (s Suite) refusals(t *testing.T) {
	for _, v := range impossible() {
		if b, err := s.Codec.Marshal(v); err == nil {
			t.Errorf("encoded a %T as %q", v, b)
		}
	}
	for _, r := range s.Refused {
		b, err := s.Codec.Marshal(r.Value)
		if err == nil || !strings.Contains(err.Error(), r.Want) {
			t.Errorf("%T: got %q, %v, want %q", r.Value, b, err, r.Want)
		}
	}
	b := s.encode(t, s.Values[0])
	for _, v := range append(impossible(), 7, "text", struct{}{}, map[string]string(nil)) {
		if err := s.Codec.Unmarshal(b, v); err == nil {
			t.Errorf("decoded into a %T", v)
		}
	}
	for _, r := range s.Broken {
		err := s.Codec.Unmarshal([]byte(r.Bytes), r.Target)
		if err == nil || !strings.Contains(err.Error(), r.Want) {
			t.Errorf("%.100q into %T: got %v, want %q", r.Bytes, r.Target, err, r.Want)
		}
	}
}

// cutShort: what lacks its end is an error or another value, nothing worse.
func (s Suite) cutShort(t *testing.T) {
	for _, v := range s.Values {
		b := s.encode(t, v)
		for n := range min(len(b), 1000) {
			got := target(v)
			if err := s.Codec.Unmarshal(b[:n:n], got); err != nil && err.Error() == "" {
				t.Errorf("an error without a text for %d of %d bytes", n, len(b))
			}
		}
	}
}

func (s Suite) memory(t *testing.T) {
	for _, small := range s.Small {
		if got, err := s.memoryOf(small.Most, []byte(small.Bytes), small.Target); got > small.Most {
			t.Errorf("%s: decoding %d bytes allocated %d, the most is %d (error: %v)", small.Name, len(small.Bytes), got, small.Most, err)
		}
	}
}

// memoryOf tells how many bytes decoding into a value like target allocates.
func (s Suite) memoryOf(enough uint64, b []byte, target any) (used uint64, err error) {
	used = alloctest.Bytes(enough, func() func() {
		fresh := reflect.New(reflect.TypeOf(target).Elem()).Interface()
		return func() { err = s.Codec.Unmarshal(b, fresh) }
	})
	return used, err
}

// concurrency is for the race detector, which takes long over large values.
func (s Suite) concurrency(t *testing.T) {
	var values []any
	for _, v := range s.Values {
		if len(s.encode(t, v)) < 4<<10 {
			values = append(values, v)
		}
	}
	var w sync.WaitGroup
	for range 8 {
		w.Go(func() {
			for range 20 {
				for _, v := range values {
					got := target(v)
					b, err := s.Codec.Marshal(v)
					if err == nil {
						err = s.Codec.Unmarshal(b, got)
					}
					if err != nil || !s.Equal(like(v, got), v) {
						t.Errorf("%T: got %+v, %v", v, like(v, got), err)
						return
					}
				}
			}
		})
	}
	w.Wait()
}
