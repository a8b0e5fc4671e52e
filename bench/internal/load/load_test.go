package load_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dserver/dserver/bench/internal/cell"
	"github.com/dserver/dserver/bench/internal/load"
	"github.com/dserver/dserver/bench/internal/payload"
	"github.com/dserver/dserver/bench/internal/peer"
	"github.com/dserver/dserver/bench/internal/peer/ceiling"
	"github.com/dserver/dserver/bench/internal/peer/netrpc"
	"github.com/dserver/dserver/bench/internal/result"
	"github.com/dserver/dserver/bench/internal/usage"
	"github.com/dserver/dserver/internal/group"
)

// here is a server in this process.
type here struct {
	address string
	pushed  atomic.Int64
}

func (h *here) Address() string               { return h.address }
func (h *here) Collect() (usage.Usage, error) { return h.Usage() }
func (h *here) Usage() (usage.Usage, error) {
	u, err := usage.Read()
	u.Pushed = h.pushed.Load()
	return u, err
}

func serve(t *testing.T, p peer.Peer) *here {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &here{address: ln.Addr().String()}
	g := group.New(context.Background(), nil)
	g.Go("server", func(ctx context.Context) {
		if err := p.Serve(ctx, ln, &h.pushed); err != nil {
			t.Errorf("cannot serve: %v", err)
		}
	})
	t.Cleanup(func() {
		if err := g.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return h
}

func plan(c cell.Cell) load.Plan {
	return load.Plan{Peer: "peer", Cell: c, Time: 100 * time.Millisecond, Warm: 20 * time.Millisecond}
}

// measure takes more time if that was not enough, as when the machine is busy.
func measure(t *testing.T, c cell.Cell, p peer.Peer, s load.Server, enough func(result.Run) bool) result.Run {
	t.Helper()
	for l := plan(c); ; l.Time *= 4 {
		r, err := load.Run(t.Context(), l, p, s)
		if err != nil {
			t.Fatal(err)
		}
		if enough(r) || l.Time > time.Second {
			return r
		}
	}
}

func TestEveryModeGivesFigures(t *testing.T) {
	for _, p := range ceiling.Peers() {
		for _, c := range []cell.Cell{
			{Mode: cell.Call, Body: payload.Record, Callers: 8, Connections: 3},
			{Mode: cell.Push, Body: payload.Small, Callers: 4, Connections: 2},
			{Mode: cell.Dial, Body: payload.Small, Callers: 2, Connections: 1},
			{Mode: cell.Idle, Body: payload.Record, Callers: 1, Connections: 30},
		} {
			t.Run(p.Name()+"/"+c.String(), func(t *testing.T) {
				check(t, c, measure(t, c, p, serve(t, p), func(r result.Run) bool { return r.Calls > 0 || r.Errors > 0 }))
			})
		}
	}
}

func check(t *testing.T, c cell.Cell, r result.Run) {
	t.Helper()
	if r.Cell != c.String() || r.Calls == 0 || r.Rate == 0 || r.Seconds == 0 || r.RSSServer == 0 || r.Errors != 0 || r.Lost != 0 {
		t.Errorf("got %+v", r)
	}
	switch c.Mode {
	case cell.Idle:
		if r.Calls != int64(c.Connections) || r.ConnectionGoroutines < 1 {
			t.Errorf("got %+v", r)
		}
		return
	case cell.Call, cell.Dial:
		if r.P50 == 0 || r.P50 > r.P99 || r.P99 > r.P999 || r.P999 > r.Max {
			t.Errorf("got %+v", r)
		}
	}
	if r.CPU == 0 || r.CPU != r.CPUClient+r.CPUServer || r.Writes == 0 || r.Switches == 0 {
		t.Errorf("got %+v", r)
	}
}

// liar is a peer whose answers are wrong after some calls.
type liar struct {
	peer.Peer
	good int64
}

func (l liar) Dial(address string) (peer.Conn, error) {
	c, err := l.Peer.Dial(address)
	return &lies{Conn: c, good: l.good}, err
}

type lies struct {
	peer.Conn
	good  int64
	calls atomic.Int64
}

func (l *lies) Caller(b payload.Body) peer.Call {
	call := l.Conn.Caller(b)
	return func(tag uint32) error {
		if l.calls.Add(1) > l.good {
			return payload.ErrAnswer
		}
		return call(tag)
	}
}

func TestWrongAnswersAreCounted(t *testing.T) {
	p := liar{ceiling.Peers()[0], 100}
	c := cell.Cell{Mode: cell.Call, Callers: 7, Connections: 1}
	r := measure(t, c, p, serve(t, p.Peer), func(r result.Run) bool { return r.Errors >= 7 })
	if r.Errors != 7 || r.FirstError != payload.ErrAnswer.Error() {
		t.Errorf("%d errors, one of them %q; want that of each of 7 callers", r.Errors, r.FirstError)
	}
}

func TestAFirstCallThatFailsIsNoMeasurement(t *testing.T) {
	p := liar{ceiling.Peers()[0], 0}
	_, err := load.Run(t.Context(), plan(cell.Cell{Mode: cell.Call, Callers: 1, Connections: 1}), p, serve(t, p.Peer))
	if !errors.Is(err, payload.ErrAnswer) {
		t.Errorf("got %v", err)
	}
}

func TestNoPushes(t *testing.T) {
	p := netrpc.Peer{}
	_, err := load.Run(t.Context(), plan(cell.Cell{Mode: cell.Push, Callers: 1, Connections: 1}), p, serve(t, p))
	if !errors.Is(err, peer.ErrNoPush) {
		t.Errorf("got %v", err)
	}
}

// loser is a server that counts only some of what comes.
type loser struct{ *here }

func (l loser) Usage() (usage.Usage, error) {
	u, err := l.here.Usage()
	u.Pushed /= 2
	return u, err
}

func TestLostPushesAreCounted(t *testing.T) {
	p := ceiling.Peers()[0]
	c := cell.Cell{Mode: cell.Push, Body: payload.Small, Callers: 1, Connections: 1}
	r, err := load.Run(t.Context(), plan(c), p, loser{serve(t, p)})
	if err != nil {
		t.Fatal(err)
	}
	if total := r.Calls + r.Lost; r.Lost < total*4/10 || r.Lost > total*6/10 {
		t.Errorf("%d of %d pushes were lost, want half", r.Lost, total)
	}
}

func TestAMeasurementEndsWithItsContext(t *testing.T) {
	p := ceiling.Peers()[0]
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	long := plan(cell.Cell{Mode: cell.Call, Callers: 2, Connections: 1})
	long.Time = time.Hour
	if _, err := load.Run(ctx, long, p, serve(t, p)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
