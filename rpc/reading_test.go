package rpc

import (
	"net"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/raw"
)

// request is one of which the collector tells when it is gone.
type request struct{ number *int }

func (r *request) UnmarshalJSON([]byte) error {
	r.number = new(int)
	return nil
}

// TestAKeptContextKeepsNoRequests, neither its own nor those of calls that have come with
// it, whose handlers have looked at their contexts.
func TestAKeptContextKeepsNoRequests(t *testing.T) {
	const count = 10 * manyContexts
	for _, inline := range []bool{false, true} {
		e, address := eagerServer(t, raw.New)
		var kept []Context
		var collected atomic.Int64
		keepOne := func(ctx Context, r *request) (int, error) {
			runtime.AddCleanup(r, func(struct{}) { collected.Add(1) }, struct{}{})
			if len(kept) == 0 {
				kept = append(kept, ctx)
			} else if ctx.Done() == nil {
				t.Error("a context without an end")
			}
			return 0, nil
		}
		var options []RouteOption
		if inline {
			options = append(options, Inline())
		}
		if err := Handle(e, "/keep", keepOne, options...); err != nil {
			t.Fatal(err)
		}
		next := callAtOnce(t, address, slices.Repeat([]string{"/keep"}, count)...)
		for range count {
			if _, err := next(); err != nil {
				t.Fatal(err)
			}
		}
		for deadline := time.Now().Add(10 * time.Second); collected.Load() < count; runtime.GC() {
			if time.Now().After(deadline) {
				t.Fatalf("inline %v: %d of %d requests are kept", inline, count-collected.Load(), count)
			}
		}
		runtime.KeepAlive(kept)
	}
}

// TestABurstAllocatesLittle: a message that its reader handles has the body and an eighth of
// a context of its own.
func TestABurstAllocatesLittle(t *testing.T) {
	const count = 2000
	e := testEndpoint(t, raw.New)
	all := make(chan struct{})
	handled := 0
	err := HandlePush(e, "/note", func(Context, []byte) error {
		if handled++; handled%count == 0 {
			all <- struct{}{}
		}
		return nil
	}, Inline())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", served(t, e))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	framer := raw.New(proto.Stream{Peer: new(proto.Peer)}).(proto.Framer)
	var burst []byte
	for n := range count {
		m := message.Message{Seq: int32(n), Type: message.Push, Method: "/note", Codec: 'j', Body: make([]byte, 32)}
		if burst, err = framer.AppendFrame(burst, &m); err != nil {
			t.Fatal(err)
		}
	}
	n := testing.AllocsPerRun(10, func() {
		if _, err := conn.Write(burst); err != nil {
			t.Fatal(err)
		}
		<-all
	}) / count
	if n > 1.5 {
		t.Errorf("a push allocates %v times", n)
	}
	t.Logf("%v allocations a push", n)
}
