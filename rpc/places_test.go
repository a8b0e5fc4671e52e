package rpc_test

import (
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/raw"
	"github.com/dserver/dserver/rpc/status"
)

// lingering keeps whoever sends a reply after it is written.
type lingering struct{ begun, goOn chan struct{} }

func newLingering() lingering { return lingering{make(chan struct{}, 1000), make(chan struct{})} }

func (lingering) Name() string { return "lingering" }
func (l lingering) AfterWriteReply(rpc.WriteCtx) error {
	l.begun <- struct{}{}
	<-l.goOn
	return nil
}

// TestWhoHasItsAnswerMayCallAgain: a caller that waits for each answer is never refused,
// however little may run at once, and even if who has sent the answer is not done.
func TestWhoHasItsAnswerMayCallAgain(t *testing.T) {
	const calls, size = 20, 1000
	for _, test := range []struct {
		name   string
		limits rpc.Limits
		opts   []rpc.RouteOption
	}{
		{"session", rpc.Limits{SessionHandlers: 1}, nil},
		{"endpoint", rpc.Limits{EndpointHandlers: 1}, nil},
		{"route", rpc.Limits{}, []rpc.RouteOption{rpc.WithLimit(1)}},
		{"bytes", rpc.Limits{RequestBytes: size * 3 / 2}, nil},
	} {
		for name, p := range map[string]proto.Factory{"frames": raw.New, "streams": newLineProto} {
			t.Run(test.name+"/"+name, func(t *testing.T) {
				l := newLingering()
				c := rpc.Config{Proto: p, Limits: test.limits, Plugins: []rpc.Plugin{l}}
				b := newBed(t, c, rpc.Config{Proto: p}, "tcp://127.0.0.1:0")
				defer close(l.goOn)
				mustHandle(t, b.server, "/length", func(_ rpc.Context, s string) (int, error) { return len(s), nil }, test.opts...)
				s := b.dial()
				for n := range calls {
					var got int
					if err := s.Call(t.Context(), "/length", strings.Repeat("x", size), &got); err != nil || got != size {
						t.Fatalf("call %d: got %d, %v", n, got, err)
					}
				}
				for range calls {
					within(t, 10*time.Second, "a reply lingers", l.begun)
				}
			})
		}
	}
}

// TestLingeringRepliesAreBounded: hooks that come after replies hold memory too.
func TestLingeringRepliesAreBounded(t *testing.T) {
	const most = 100
	l := newLingering()
	b := onTCP(t, rpc.Config{Limits: rpc.Limits{EndpointHandlers: most}, Plugins: []rpc.Plugin{l}})
	echo(t, b.server)
	s := b.dial()
	for n := range 2 * most {
		if err := s.Call(t.Context(), "/echo", "x", nil); err != nil {
			t.Fatalf("call %d: %v", n, err)
		}
	}
	refused := make(chan error, 1)
	go func() { refused <- s.Call(t.Context(), "/echo", "x", nil) }()
	if st := wantCode(t, within(t, 10*time.Second, "a refusal", refused), status.Overloaded); !st.Retry {
		t.Errorf("got %+v", st)
	}
	if st := b.server.Stats(); st.Handlers != 0 {
		t.Errorf("%d handlers run", st.Handlers)
	}
	close(l.goOn)
	eventually(t, "there is room again", func() bool { return s.Call(t.Context(), "/echo", "x", nil) == nil })
}
