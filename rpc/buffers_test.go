package rpc

import (
	"bytes"
	"testing"

	"github.com/dserver/dserver/rpc/codec"
)

// Each size gets the smallest class that has room for it.
func TestClassesOfBuffers(t *testing.T) {
	last := smallClasses + largeClasses - 1
	for class := range last + 1 {
		if got := classFor(classSize(class)); got != class {
			t.Errorf("%d bytes are of class %d, want %d", classSize(class), got, class)
		}
		if got := classFor(classSize(class) + 1); class < last && got != class+1 {
			t.Errorf("%d bytes are of class %d, want %d", classSize(class)+1, got, class+1)
		}
	}
	if classFor(0) != 0 || classSize(0) != 1<<10 || classSize(smallClasses-1) != maxBatch || classSize(last) != maxPooledBuffer {
		t.Errorf("the classes are from %d to %d", classSize(0), classSize(last))
	}
}

// A buffer that has outgrown its class must not come back as one that it is not large
// enough for.
func TestBuffersHaveTheRoomThatIsAskedFor(t *testing.T) {
	var p bufferPool
	for room := 1; room < 3*maxPooledBuffer; room += room/3 + 1 {
		p.put(&buffer{make([]byte, room)})
	}
	p.put(nil)
	for size := 0; size < 2*maxPooledBuffer; size += size/3 + 1 {
		for range 3 {
			if b := p.get(size); cap(b.b) < size || len(b.b) != 0 {
				t.Fatalf("%d bytes, room for %d, wanted %d", len(b.b), cap(b.b), size)
			}
		}
	}
	b := p.get(3)
	b.b = append(b.b, "abc"...)
	if b = p.grow(b, 5000); string(b.b) != "abc" || cap(b.b) < 5000 {
		t.Errorf("it has grown to %q with room for %d", b.b, cap(b.b))
	}
}

// A codec that appends encodes into a buffer, one that does not and bytes into memory of
// their own.
func TestWhoEncodesIntoBuffers(t *testing.T) {
	e, err := New(Config{Codecs: []codec.Codec{appender{}, codec.JSON{}}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, test := range []struct {
		id     byte
		body   any
		want   string
		pooled bool
	}{
		{appender{}.ID(), "text", "text", true},
		{appender{}.ID(), []byte("bytes"), "bytes", false},
		{codec.IDJSON, "text", `"text"`, false},
		{codec.IDJSON, nil, "", false},
	} {
		b, memory, err := e.encodeAgain(test.id, test.body)
		if err != nil || string(b) != test.want || (memory != nil) != test.pooled {
			t.Errorf("%q by codec %q: %q, in a buffer %t, %v", test.body, test.id, b, memory != nil, err)
		}
		e.bufs.put(memory)
	}
}

// What is read into memory of its own is not copied for its handler.
func TestLargeBodiesAreKeptWhereTheyLie(t *testing.T) {
	frame := &buffer{make([]byte, 100<<10)}
	s := &Session{e: new(Endpoint), read: &frameReader{large: largeReader{frame: frame}}}
	p := passage{session: s}
	p.m.Body = frame.b[100:]
	if p.keepBody(s, false); p.memory != frame || &p.m.Body[0] != &frame.b[100] {
		t.Error("it was copied")
	}
}

func TestWhetherMemoryIsTheSame(t *testing.T) {
	a := bytes.Repeat([]byte("x"), 100)
	for _, same := range [][]byte{a, a[:10], a[99:], a[50:60]} {
		if !ends(same, a) {
			t.Errorf("[%d:%d] is not in it", len(same), cap(same))
		}
	}
	for _, other := range [][]byte{nil, {}, make([]byte, 100), a[:10:20], a[100:]} {
		if ends(other, a) {
			t.Errorf("[%d:%d] is in it", len(other), cap(other))
		}
	}
}
