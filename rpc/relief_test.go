package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/json"
	"github.com/dserver/dserver/rpc/proto/raw"
)

// eagerServer is one whose readers run all handlers that they can, with the address where
// it serves.
func eagerServer(t *testing.T, p proto.Factory) (*Endpoint, string) {
	e := testEndpoint(t, p)
	e.relief.eager = true
	return e, "tcp://" + served(t, e)
}

func testEndpoint(t *testing.T, p proto.Factory) *Endpoint {
	e, err := New(Config{Proto: p})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func served(t *testing.T, e *Endpoint) string {
	ln, err := e.Listen(t.Context(), "tcp://127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go e.Serve(ln)
	return ln.Addr().String()
}

func dialled(t *testing.T, p proto.Factory, address string) *Session {
	e := testEndpoint(t, p)
	if err := Handle(e, "/back", func(_ Context, n int) (int, error) { return n + 1, nil }); err != nil {
		t.Fatal(err)
	}
	s, err := e.Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustServe[Req, Res any](t *testing.T, e *Endpoint, method string, f func(Context, Req) (Res, error)) {
	t.Helper()
	if err := Handle(e, method, f); err != nil {
		t.Fatal(err)
	}
}

// onReader tells whether the caller runs on the goroutine of a session's reader.
func onReader() bool {
	stack := make([]byte, 16<<10)
	return strings.Contains(string(stack[:runtime.Stack(stack, false)]), "(*reading).run")
}

// TestALateReaderHoldsNobodyUp: handlers that wait, and such that call back, all begin,
// and others are answered meanwhile.
func TestALateReaderHoldsNobodyUp(t *testing.T) {
	e, address := eagerServer(t, raw.New)
	const count = 30
	entered, goOn := make(chan bool, count), make(chan struct{})
	mustServe(t, e, "/wait", func(_ Context, n int) (int, error) {
		entered <- onReader()
		<-goOn
		return n, nil
	})
	mustServe(t, e, "/ask", func(ctx Context, n int) (got int, err error) {
		err = ctx.Session().Call(ctx, "/back", n, &got)
		return got, err
	})
	s := dialled(t, raw.New, address)
	var all sync.WaitGroup
	for n := range count {
		all.Go(func() { wantSame(t, s, "/wait", n, n) })
	}
	for range count {
		if !<-entered {
			t.Error("a handler did not run on the reader's goroutine")
		}
	}
	for n := range 10 {
		wantSame(t, s, "/ask", n, n+1)
	}
	if n := e.Stats().Reliefs; n < count {
		t.Errorf("%d handlers waited, %d readers were relieved", count, n)
	}
	close(goOn)
	all.Wait()
}

func wantSame(t *testing.T, s *Session, method string, n, want int) {
	t.Helper()
	var got int
	if err := s.Call(context.Background(), method, n, &got); err != nil || got != want {
		t.Errorf("%s: got %d instead of %d, %v", method, got, want, err)
	}
}

// TestReadersAreRelievedAtRandom: whatever the handlers do, everyone gets his answer, and
// each push is handled once.
func TestReadersAreRelievedAtRandom(t *testing.T) {
	for name, p := range map[string]proto.Factory{"raw": raw.New, "json": json.New} {
		t.Run(name, func(t *testing.T) {
			e, address := eagerServer(t, p)
			mustServe(t, e, "/any", func(ctx Context, n int) (got int, err error) {
				switch rand.IntN(20) {
				case 0:
					time.Sleep(time.Duration(rand.IntN(int(3 * reliefTime))))
				case 1:
					err = ctx.Session().Call(ctx, "/back", n, &got)
					return got, err
				}
				return n + 1, nil
			})
			var pushed atomic.Int64
			if err := HandlePush(e, "/note", func(_ Context, n int) error {
				if n%50 == 0 {
					time.Sleep(reliefTime)
				}
				pushed.Add(1)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			const sessions, callers, calls = 3, 10, 60
			var all sync.WaitGroup
			for range sessions {
				s := dialled(t, p, address)
				for caller := range callers {
					all.Go(func() {
						for n := range calls {
							wantSame(t, s, "/any", caller*calls+n, caller*calls+n+1)
							if err := s.Push(context.Background(), "/note", n); err != nil {
								t.Error(err)
							}
						}
					})
				}
			}
			all.Wait()
			for deadline := time.Now().Add(10 * time.Second); pushed.Load() < sessions*callers*calls && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond)
			}
			if n := pushed.Load(); n != sessions*callers*calls {
				t.Errorf("%d of %d pushes were handled", n, sessions*callers*calls)
			}
		})
	}
}

// callAtOnce sends calls with one write, their numbers as their bodies. What it gives reads
// the replies.
func callAtOnce(t *testing.T, address string, methods ...string) (next func() (message.Message, error)) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(address, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	framer := raw.New(proto.Stream{Peer: new(proto.Peer)}).(proto.Framer)
	var burst []byte
	for n, method := range methods {
		m := message.Message{Seq: int32(n), Type: message.Call, Method: method, Codec: 'j', Body: []byte(fmt.Sprint(n))}
		if burst, err = framer.AppendFrame(burst, &m); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.Write(burst); err != nil {
		t.Fatal(err)
	}
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	r := newFrameReader(patientConn{Conn: conn, patience: 10 * time.Second}, framer, 1<<20, new(bufferPool))
	return func() (m message.Message, err error) { return m, r.next(&m) }
}

// TestRepliesDoNotWaitForALateReader which came with the same read.
func TestRepliesDoNotWaitForALateReader(t *testing.T) {
	e, address := eagerServer(t, raw.New)
	goOn := make(chan struct{})
	mustServe(t, e, "/wait", func(Context, int) (int, error) { <-goOn; return 0, nil })
	mustServe(t, e, "/echo", func(_ Context, n int) (int, error) { return n, nil })
	const count = 11
	methods := slices.Repeat([]string{"/echo"}, count)
	methods[count/2] = "/wait"
	next := callAtOnce(t, address, methods...)
	for n := range count {
		if n == count-1 {
			close(goOn)
		}
		m, err := next()
		if err != nil {
			t.Fatalf("after %d replies: %v", n, err)
		}
		if waited := m.Seq == count/2; waited != (n == count-1) {
			t.Errorf("reply %d is to call %d", n, m.Seq)
		}
	}
}

// farewell is a protocol in which the call of /bye is the last message.
type farewell struct{ *raw.Proto }

func (p farewell) CutFrame(buf []byte, m *message.Message) (int, error) {
	n, err := p.Proto.CutFrame(buf, m)
	m.Last = m.Method == "/bye"
	return n, err
}

// late is a hook that keeps who has sent a reply.
type late struct{ goOn chan struct{} }

func (late) Name() string                     { return "late" }
func (l late) AfterWriteReply(WriteCtx) error { <-l.goOn; return nil }

// TestAJoinedReplyLeavesItsPlace: replies that wait for others count as sent, as those do
// that fill a batch.
func TestAJoinedReplyLeavesItsPlace(t *testing.T) {
	e := testEndpoint(t, raw.New)
	e.relief.eager, e.limits.SessionHandlers = true, 1
	l := late{make(chan struct{})}
	answer := func(_ Context, n int) (int, error) { return n, nil }
	if err := Handle(e, "/answer", answer, WithPlugins(l)); err != nil {
		t.Fatal(err)
	}
	address := "tcp://" + served(t, e)
	s := dialled(t, raw.New, address)
	defer close(l.goOn)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for n := range 3 * mostJoint {
		if err := s.Call(ctx, "/answer", n, nil); err != nil {
			t.Fatalf("call %d: %v", n, err)
		}
	}
	if n := e.Stats().Reliefs; n < 3*mostJoint-1 {
		t.Errorf("%d readers were relieved", n)
	}
	next := callAtOnce(t, address, slices.Repeat([]string{"/answer"}, 3*mostJoint)...)
	for range 3 * mostJoint {
		if m, err := next(); err != nil || m.Status != nil {
			t.Fatalf("of those that came at once: %v, %v", m.Status, err)
		}
	}
}

// TestTheLastCallMayTakeLong: it is answered, nothing behind it is read, and the session
// ends.
func TestTheLastCallMayTakeLong(t *testing.T) {
	e, address := eagerServer(t, func(s proto.Stream) proto.Proto { return farewell{raw.New(s).(*raw.Proto)} })
	mustServe(t, e, "/bye", func(_ Context, n int) (int, error) { <-time.After(4 * reliefTime); return n, nil })
	mustServe(t, e, "/echo", func(_ Context, n int) (int, error) { return n, nil })
	next := callAtOnce(t, address, "/echo", "/bye", "/echo")
	for n := range 2 {
		if m, err := next(); err != nil || m.Seq != int32(n) || string(m.Body) != fmt.Sprint(n) {
			t.Fatalf("reply %d: %q to call %d, %v", n, m.Body, m.Seq, err)
		}
	}
	if m, err := next(); !errors.Is(err, io.EOF) {
		t.Errorf("behind the last reply comes %v %d, %v; want io.EOF", m.Type, m.Seq, err)
	}
}

// refuseSecond does not want to read a second message.
type refuseSecond struct{ asked atomic.Int64 }

func (*refuseSecond) Name() string { return "refuse second" }

func (p *refuseSecond) BeforeReadHeader(EarlyCtx) error {
	if p.asked.Add(1) > 1 {
		return errors.New("no more")
	}
	return nil
}

// TestARefusalToReadKeepsNoReplyBack that waits for those to others.
func TestARefusalToReadKeepsNoReplyBack(t *testing.T) {
	for _, inline := range []bool{false, true} {
		e, err := New(Config{Plugins: []Plugin{new(refuseSecond)}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { e.Close() })
		e.relief.eager = !inline
		var options []RouteOption
		if inline {
			options = append(options, Inline())
		}
		if err := Handle(e, "/echo", func(_ Context, n int) (int, error) { return n, nil }, options...); err != nil {
			t.Fatal(err)
		}
		next := callAtOnce(t, "tcp://"+served(t, e), "/echo", "/echo")
		if m, err := next(); err != nil || m.Seq != 0 || string(m.Body) != "0" {
			t.Errorf("inline %v: the first reply is %q to call %d, %v", inline, m.Body, m.Seq, err)
		}
		if m, err := next(); !errors.Is(err, io.EOF) {
			t.Errorf("inline %v: then comes %v %d, %v; want io.EOF", inline, m.Type, m.Seq, err)
		}
	}
}

// TestAHandlerMayEndTheReadersGoroutine and the session goes on.
func TestAHandlerMayEndTheReadersGoroutine(t *testing.T) {
	e, address := eagerServer(t, raw.New)
	mustServe(t, e, "/exit", func(Context, int) (int, error) { runtime.Goexit(); return 0, nil })
	mustServe(t, e, "/echo", func(_ Context, n int) (int, error) { return n, nil })
	s := dialled(t, raw.New, address)
	for n := range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		exit := s.Go(ctx, "/exit", n, nil)
		wantSame(t, s, "/echo", n, n)
		cancel()
		<-exit.Done()
	}
}

// TestAnEndpointClosesWithALateReader whose handler heeds its context.
func TestAnEndpointClosesWithALateReader(t *testing.T) {
	for range 20 {
		e, address := eagerServer(t, raw.New)
		entered := make(chan struct{})
		mustServe(t, e, "/wait", func(ctx Context, _ int) (int, error) {
			close(entered)
			<-ctx.Done()
			return 0, ctx.Err()
		})
		s := dialled(t, raw.New, address)
		call := s.Go(t.Context(), "/wait", 1, nil)
		<-entered
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if err := call.Wait(); err == nil {
			t.Error("the call has succeeded")
		}
	}
}

// TestOnlyShortHandlersRunOnReaders, once they are known to be short.
func TestOnlyShortHandlersRunOnReaders(t *testing.T) {
	e := testEndpoint(t, raw.New)
	var onReaders atomic.Int64
	look := func(n int) {
		if n == 0 && onReader() {
			onReaders.Add(1)
		}
	}
	mustServe(t, e, "/short", func(_ Context, n int) (int, error) { look(n); return n, nil })
	mustServe(t, e, "/long", func(_ Context, n int) (int, error) {
		look(n)
		for start := time.Now(); time.Since(start) < 5*shortAlone; {
		}
		return n, nil
	})
	s := dialled(t, raw.New, "tcp://"+served(t, e))
	const seldom = 50 // looking takes long itself
	for n := range 20 * seldom {
		wantSame(t, s, "/long", n%seldom, n%seldom)
	}
	if n := onReaders.Load(); n > 0 {
		t.Errorf("%d long handlers have run on a reader", n)
	}
	for n, deadline := 0, time.Now().Add(20*time.Second); onReaders.Load() == 0; n++ {
		if time.Now().After(deadline) {
			t.Fatalf("after %d calls no short handler has run on a reader; they take %v", n, e.router.lookup(false, "/short").pace.mean())
		}
		wantSame(t, s, "/short", n%seldom, n%seldom)
	}
}

// TestNobodyIsWatchedForEver: the goroutine of the relief ends when there is nothing to do.
func TestNobodyIsWatchedForEver(t *testing.T) {
	e, address := eagerServer(t, raw.New)
	mustServe(t, e, "/echo", func(_ Context, n int) (int, error) { return n, nil })
	s := dialled(t, raw.New, address)
	watched := func() int {
		e.relief.mu.Lock()
		defer e.relief.mu.Unlock()
		return len(e.relief.readings)
	}
	for range 5 {
		wantSame(t, s, "/echo", 1, 1)
		for deadline := time.Now().Add(10 * time.Second); watched() > 0; time.Sleep(reliefTime) {
			if time.Now().After(deadline) {
				t.Fatal("a reader without work is still watched")
			}
		}
	}
}
