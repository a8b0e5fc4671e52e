package rpc_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/transport/memory"
)

// idle is a plugin with all hooks of messages that does nothing.
type idle struct{ named }

func (idle) BeforeWriteCall(rpc.WriteCtx) error     { return nil }
func (idle) AfterWriteCall(rpc.WriteCtx) error      { return nil }
func (idle) BeforeWriteReply(rpc.WriteCtx) error    { return nil }
func (idle) AfterWriteReply(rpc.WriteCtx) error     { return nil }
func (idle) BeforeWritePush(rpc.WriteCtx) error     { return nil }
func (idle) AfterWritePush(rpc.WriteCtx) error      { return nil }
func (idle) BeforeReadHeader(rpc.EarlyCtx) error    { return nil }
func (idle) AfterReadCallHeader(rpc.ReadCtx) error  { return nil }
func (idle) BeforeReadCallBody(rpc.ReadCtx) error   { return nil }
func (idle) AfterReadCallBody(rpc.ReadCtx) error    { return nil }
func (idle) AfterReadPushHeader(rpc.ReadCtx) error  { return nil }
func (idle) BeforeReadPushBody(rpc.ReadCtx) error   { return nil }
func (idle) AfterReadPushBody(rpc.ReadCtx) error    { return nil }
func (idle) AfterReadReplyHeader(rpc.ReadCtx) error { return nil }
func (idle) BeforeReadReplyBody(rpc.ReadCtx) error  { return nil }
func (idle) AfterReadReplyBody(rpc.ReadCtx) error   { return nil }

// BenchmarkHooks shows what five plugins on both sides add to a call in memory. The
// calls with and without take turns of a hundred, so that a machine which is slower
// for a while is slower for both, and hooks-ns/call is the median of the differences.
func BenchmarkHooks(b *testing.B) {
	const turn = 100
	body := make([]byte, 64)
	calls := func(s *rpc.Session) float64 {
		start := time.Now()
		for range turn {
			if err := s.Call(b.Context(), "/echo", body, nil); err != nil {
				b.Fatal(err)
			}
		}
		return float64(time.Since(start).Nanoseconds()) / turn
	}
	without, with := hookedSession(b, 0), hookedSession(b, 5)
	var more []float64
	b.ReportAllocs()
	for b.Loop() {
		bare := calls(without)
		more = append(more, calls(with)-bare)
	}
	slices.Sort(more)
	b.ReportMetric(more[len(more)/2], "hooks-ns/call")
}

// hookedSession is one end of a connection whose both ends have so many plugins.
func hookedSession(t testing.TB, plugins int) *rpc.Session {
	t.Helper()
	var c rpc.Config
	for i := range plugins {
		c.Plugins = append(c.Plugins, idle{named(fmt.Sprint("idle", i))})
	}
	var near *rpc.Session
	conn, far := memory.Pipe(memory.Addr("x"))
	for i, conn := range []*memory.Conn{far, conn} {
		e, err := rpc.New(c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { e.Close() })
		if err := rpc.Handle(e, "/echo", func(_ rpc.Context, v []byte) ([]byte, error) { return v, nil }); err != nil {
			t.Fatal(err)
		}
		s, err := e.ServeConn(conn)
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			near = s
		}
	}
	return near
}

// TestHooksCostNoMemory: five plugins with twelve hooks each allocate nothing for a call.
func TestHooksCostNoMemory(t *testing.T) {
	body := make([]byte, 64)
	allocations := func(plugins int) float64 {
		s := hookedSession(t, plugins)
		return testing.AllocsPerRun(2000, func() {
			if err := s.Call(t.Context(), "/echo", body, nil); err != nil {
				t.Fatal(err)
			}
		})
	}
	without, with := allocations(0), allocations(5)
	if with > without+1 { // pools lose some under the race detector
		t.Errorf("a call allocates %v times without plugins and %v times with five", without, with)
	}
}
