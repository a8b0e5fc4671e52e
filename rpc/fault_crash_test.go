package rpc_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

func TestF2F3BadSizesCloseTheConnectionAtOnce(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	echo(t, b.server)
	bad := []string{"ffffffff", "00000000", "00000001", "00000002", "00000003", "00000005", "00000006 01 05", "0000000b 01 00 01 31 01 ff 2f"}
	for _, frame := range bad {
		p := b.dialRaw()
		p.sendHex(frame)
		p.mustBeClosed()
	}
	if n := strings.Count(b.serverLog.String(), "bad frame"); n != len(bad) {
		t.Errorf("%d log lines for %d bad frames", n, len(bad))
	}
	if n := b.server.Stats().BadFrames; n != int64(len(bad)) {
		t.Errorf("%d counted", n)
	}
	if err := b.dial().Call(t.Context(), "/echo", "x", nil); err != nil {
		t.Error(err)
	}
}

func TestMessagesThatHaveNoBusinessCloseTheConnection(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	for _, kind := range []message.Type{message.Undefined, message.AuthCall, message.AuthReply, 6, 255} {
		p := b.dialRaw()
		p.send(&message.Message{Seq: 1, Type: kind})
		p.mustBeClosed()
	}
}

func TestF4ClosingSessionsUnderLoad(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		echo(t, b.server)
		mustHandlePush(t, b.server, "/note", func(rpc.Context, string) error { return nil })
		var current atomic.Pointer[rpc.Session]
		current.Store(b.dial())
		stop := make(chan struct{})
		var ok, closed atomic.Int64
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					s := current.Load()
					err := s.Push(t.Context(), "/note", "x")
					if err == nil {
						err = s.Call(t.Context(), "/echo", "x", nil)
					}
					switch status.CodeOf(err) {
					case status.OK:
						ok.Add(1)
					case status.ConnectionClosed:
						closed.Add(1)
					default:
						t.Errorf("got %v", err)
						return
					}
				}
			})
		}
		for range 20 {
			before := ok.Load()
			eventually(t, "calls succeed", func() bool { return ok.Load() > before })
			old := current.Swap(b.dial())
			old.Close()
		}
		close(stop)
		all.Wait()
		t.Logf("%d calls, %d on closed sessions", ok.Load(), closed.Load())
	})
}

type panicsInJSON struct{}

func (panicsInJSON) MarshalJSON() ([]byte, error)  { panic("marshal") }
func (*panicsInJSON) UnmarshalJSON(b []byte) error { panic("unmarshal") }

func TestF7F22PanicsInUsersMethodsAreErrorsOfTheCall(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		echo(t, b.server)
		mustHandle(t, b.server, "/takes", func(rpc.Context, panicsInJSON) (int, error) { return 1, nil })
		mustHandle(t, b.server, "/gives", func(rpc.Context, any) (panicsInJSON, error) { return panicsInJSON{}, nil })
		s := b.dial()
		wantCode(t, s.Call(t.Context(), "/echo", panicsInJSON{}, nil), status.WriteFailed)
		wantCode(t, s.Push(t.Context(), "/echo", panicsInJSON{}), status.WriteFailed)
		wantCode(t, s.Call(t.Context(), "/echo", "x", new(panicsInJSON)), status.BadMessage)
		wantCode(t, s.Call(t.Context(), "/takes", 1, nil), status.BadMessage)
		wantCode(t, s.Call(t.Context(), "/gives", 1, nil), status.InternalServerError)
		if err := s.Call(t.Context(), "/echo", "x", nil); err != nil {
			t.Error(err)
		}
	})
}

// hungryListener fails like one that is out of descriptors before each real
// connection.
type hungryListener struct {
	net.Listener
	failures atomic.Int64
}

func (l *hungryListener) Accept() (net.Conn, error) {
	if l.failures.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: fmt.Errorf("accept4: %w", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}

func TestF10RunningOutOfDescriptorsKeepsTheListener(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	echo(t, b.server)
	ln, err := b.server.Listen(t.Context(), "tcp://127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	hungry := &hungryListener{Listener: ln}
	hungry.failures.Store(4)
	serveListener(t, b.server, hungry)
	c := b.client.Client("tcp://" + ln.Addr().String())
	if err := c.Call(t.Context(), "/echo", "x", nil); err != nil {
		t.Error(err)
	}
	if n := strings.Count(b.serverLog.String(), "cannot accept for now"); n != 1 {
		t.Errorf("%d log lines", n)
	}
}

func TestServeReturnsWhatEndsTheListener(t *testing.T) {
	e := newEndpoint(t, rpc.Config{})
	ln, err := e.Listen(t.Context(), "tcp://127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := e.Serve(ln); !errors.Is(err, net.ErrClosed) || errors.Is(err, rpc.ErrClosed) {
		t.Errorf("a closed listener: %v", err)
	}
	e.Close()
	if err := e.Serve(ln); !errors.Is(err, rpc.ErrClosed) {
		t.Errorf("a closed endpoint: %v", err)
	}
}

func TestF14WritingWhileTheSessionCloses(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		s := b.dial()
		failed := make(chan error)
		go func() {
			for {
				if err := s.Push(t.Context(), "/none", strings.Repeat("x", 1000)); err != nil {
					failed <- err
					return
				}
			}
		}()
		s.Close()
		wantCode(t, within(t, 10*time.Second, "the writer is told", failed), status.ConnectionClosed)
	})
}

func TestF16ClosingWhatWasNeverUsed(t *testing.T) {
	e := newEndpoint(t, rpc.Config{})
	c := e.Client("tcp://127.0.0.1:1")
	if err := errors.Join(c.Close(), c.Close(), e.Close()); err != nil {
		t.Error(err)
	}
	err := c.Call(t.Context(), "/a", nil, nil)
	if wantCode(t, err, status.ConnectionClosed); !errors.Is(err, rpc.ErrClosed) {
		t.Errorf("got %v", err)
	}
	unserved := newEndpoint(t, rpc.Config{})
	if err := unserved.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestF17ClosingTwiceAndAtOnce(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	b.dial()
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			var err error
			switch i % 3 {
			case 0:
				err = b.server.Close()
			case 1:
				err = b.server.Shutdown(timeout(t, 10*time.Millisecond))
			case 2:
				b.server.Drain()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
