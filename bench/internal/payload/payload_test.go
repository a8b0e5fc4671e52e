package payload_test

import (
	"errors"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/dserver/dserver/bench/internal/payload"
	"github.com/dserver/dserver/bench/internal/pb"
)

// TestSizes: figures are about messages of a known size, whatever the tag is.
func TestSizes(t *testing.T) {
	sizes := map[payload.Body][2]int{
		payload.Record: {550, 581}, payload.Small: {16, 16}, payload.Large: {64 << 10, 64<<10 + 16},
	}
	for b, want := range sizes {
		request := payload.NewProto(b)
		for _, tag := range []uint32{0, 1, 1<<27 - 1, 1<<32 - 1} {
			if n := proto.Size(request.Next(tag)); n < want[0] || n > want[1] {
				t.Errorf("%v has %d bytes with tag %d, want %d to %d", b, n, tag, want[0], want[1])
			}
			if n := len(payload.NewBytes(b).Next(tag)); n != b.Size() || n < want[0] || n > want[1] {
				t.Errorf("%v has %d bytes without a codec, want %d to %d", b, n, want[0], want[1])
			}
		}
	}
}

func TestEveryFieldOfARecordIsSet(t *testing.T) {
	m := new(pb.Record)
	payload.Fill(m)
	n := 0
	v := reflect.ValueOf(m).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.CanSet() {
			n++
			if f.IsZero() || f.Kind() == reflect.Pointer && f.Elem().IsZero() {
				t.Errorf("%s is not set", v.Type().Field(i).Name)
			}
		}
	}
	if n != 43 {
		t.Errorf("there are %d fields, want 43", n)
	}
}

func TestBodiesHaveNames(t *testing.T) {
	for _, b := range payload.Bodies() {
		if got, err := payload.ParseBody(b.String()); err != nil || got != b {
			t.Errorf("%v is read as %v, %v", b, got, err)
		}
	}
	if _, err := payload.ParseBody("Body(7)"); err == nil {
		t.Error("a body was found that there is not")
	}
}

// answer is what a server makes of a request.
func answer(t *testing.T, b payload.Body, request proto.Message) proto.Message {
	t.Helper()
	sent, err := proto.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	m := payload.New(b)
	if err := proto.Unmarshal(sent, m); err != nil {
		t.Fatal(err)
	}
	if err := payload.ServeProto(m); err != nil {
		t.Fatalf("%v: %v", b, err)
	}
	return m
}

// TestWrongAnswersAreFoundOut: a figure about wrong answers is none.
func TestWrongAnswersAreFoundOut(t *testing.T) {
	for _, b := range payload.Bodies() {
		request := payload.NewProto(b)
		right := answer(t, b, request.Next(7))
		if err := request.Check(right); err != nil {
			t.Errorf("%v: the right answer: %v", b, err)
		}
		wrong := map[string]proto.Message{
			"of another call": answer(t, b, payload.NewProto(b).Next(8)),
			"the request":     proto.Clone(request.Next(7)),
			"empty":           request.Reply(),
			"nothing":         nil,
		}
		for name, m := range wrong {
			request.Next(7)
			if err := request.Check(m); !errors.Is(err, payload.ErrAnswer) {
				t.Errorf("%v: %s is taken for the answer: %v", b, name, err)
			}
		}
		if err := payload.ServeProto(right); !errors.Is(err, payload.ErrAnswer) {
			t.Errorf("%v: an answer is taken for a request: %v", b, err)
		}
		if err := payload.ServeProto(payload.New(b)); !errors.Is(err, payload.ErrAnswer) {
			t.Errorf("%v: an empty message is taken for a request: %v", b, err)
		}
	}
	if err := payload.ServeProto(nil); err == nil {
		t.Error("nothing is taken for a request")
	}
}

func TestWrongBytesAreFoundOut(t *testing.T) {
	for _, b := range payload.Bodies() {
		request := payload.NewBytes(b)
		sent := request.Next(7)
		right := append([]byte(nil), sent...)
		if err := payload.ServeBytes(right); err != nil {
			t.Errorf("%v: %v", b, err)
		}
		if err := request.Check(right); err != nil {
			t.Errorf("%v: the right answer: %v", b, err)
		}
		other := append([]byte(nil), right...)
		other[0]++
		for name, got := range map[string][]byte{"of another call": other, "the request": sent, "short": right[:len(right)-1], "nothing": nil} {
			if err := request.Check(got); !errors.Is(err, payload.ErrAnswer) {
				t.Errorf("%v: %s is taken for the answer: %v", b, name, err)
			}
		}
		for name, got := range map[string][]byte{"an answer": right, "nothing": nil} {
			if err := payload.ServeBytes(got); !errors.Is(err, payload.ErrAnswer) {
				t.Errorf("%v: %s is taken for a request: %v", b, name, err)
			}
		}
	}
}

func TestCodecAllocations(t *testing.T) {
	count := func(f func()) float64 { return testing.AllocsPerRun(100, f) }
	// A message, a pointer for each field, the bytes of each text, and the bytes to send.
	if n := payload.CodecAllocations(payload.Record, count); n != 1+43+7+1 {
		t.Errorf("the codec makes %v allocations on either side of a call, want 52", n)
	}
}
