package ctl_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/internal/inherit"
)

var errEnough = errors.New("enough")

// take collects n texts of the events after since.
func take(ctx context.Context, c *ctl.Client, since uint64, n int) ([]string, error) {
	var texts []string
	err := c.Events(ctx, since, func(e ctl.Event) error {
		if texts = append(texts, e.Text); len(texts) == n {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return texts, err
}

func TestEventsComeFromThePastAndAsTheyHappen(t *testing.T) {
	m, c := start(t)
	ctx := within(t)
	for i := range 3 {
		m.say(fmt.Sprint("event ", i+1))
	}
	g := group.New(ctx, nil)
	g.Go("master", func(ctx context.Context) {
		if err := m.untilFollowing(ctx, 1); err != nil {
			t.Error(err)
		}
		m.say("event 4")
	})
	got, err := take(ctx, c, 1, 3)
	if want := "event 2,event 3,event 4"; err != nil || strings.Join(got, ",") != want {
		t.Errorf("got %v, %v", got, err)
	}
	if err := g.Wait(ctx); err != nil {
		t.Error(err)
	}
}

func TestTwoFollowersBothGetAll(t *testing.T) {
	m, c := start(t)
	ctx := within(t)
	const n = 500
	g := group.New(ctx, nil)
	for i := range 2 {
		g.Go(fmt.Sprint("follower ", i), func(ctx context.Context) {
			got, err := take(ctx, c, 0, n)
			if err != nil || len(got) != n || got[n-1] != fmt.Sprint(n) {
				t.Errorf("%d events, %v", len(got), err)
			}
		})
	}
	if err := m.untilFollowing(ctx, 2); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		m.say(fmt.Sprint(i + 1))
	}
	if err := g.Wait(ctx); err != nil {
		t.Error(err)
	}
	if err := m.untilFollowing(ctx, 0); err != nil {
		t.Errorf("those who left are still there: %v", err)
	}
}

func TestAFollowerThatLeavesIsForgotten(t *testing.T) {
	m, c := start(t)
	ctx := within(t)
	before := openFiles(t)
	for range 50 {
		follow, leave := context.WithCancel(ctx)
		g := group.New(ctx, nil)
		g.Go("follower", func(context.Context) {
			err := c.Logs(follow, ctl.LogQuery{Follow: true}, func(ctl.LogLine) error { return nil })
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
		if err := m.untilFollowing(ctx, 1); err != nil {
			t.Fatal(err)
		}
		leave()
		if err := errors.Join(g.Wait(ctx), m.untilFollowing(ctx, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if after := openFiles(t); after > before+5 {
		t.Errorf("%d open files, before it were %d", after, before)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(list)
}

func TestLogsEndWithoutFollow(t *testing.T) {
	m, c := start(t)
	for i := range 10 {
		m.say(fmt.Sprint(i))
	}
	for _, tt := range []struct {
		q    ctl.LogQuery
		want string
	}{
		{ctl.LogQuery{Lines: 3}, "7,8,9"},
		{ctl.LogQuery{Lines: 100}, "0,1,2,3,4,5,6,7,8,9"},
		{ctl.LogQuery{}, ""},
		{ctl.LogQuery{Lines: 5, After: map[string]int64{"": 80}}, "8,9"},
	} {
		var got []string
		err := c.Logs(within(t), tt.q, func(l ctl.LogLine) error { got = append(got, l.Text); return nil })
		if err != nil || strings.Join(got, ",") != tt.want {
			t.Errorf("%+v: %v, %v", tt.q, got, err)
		}
	}
}

// asked is a master that only takes note of queries.
type asked struct {
	*master
	queries chan ctl.LogQuery
}

func (a asked) Logs(_ context.Context, q ctl.LogQuery, _ func(ctl.LogLine) error) error {
	a.queries <- q
	return nil
}

func TestLogQueriesArriveAsTheyAre(t *testing.T) {
	a, path := asked{newMaster(), make(chan ctl.LogQuery, 1)}, socketPath(t)
	serve(t, listen(t, path), a, ctl.Config{})
	c := ctl.New(path)
	noon := time.Date(2026, 11, 22, 12, 0, 0, 123, time.FixedZone("", 3600))
	for _, q := range []ctl.LogQuery{
		{},
		{Lines: ctl.AllLogLines},
		{Names: []string{"web", "a&b"}, Stream: "err", Grep: `^a=(b|c) \d+&$`, Since: noon, Until: noon.Add(time.Hour), Lines: 7},
		{After: map[string]int64{}, Since: noon, Lines: ctl.AllLogLines},
		{After: map[string]int64{"": 1 << 60, "/var/log/a:b.log": 7, "/x": 0}, Lines: ctl.AllLogLines},
	} {
		if err := c.Logs(within(t), q, nil); err != nil {
			t.Fatal(err)
		}
		got := <-a.queries
		same := got.Since.Equal(q.Since) && got.Until.Equal(q.Until)
		got.Since, got.Until, q.Since, q.Until = time.Time{}, time.Time{}, time.Time{}, time.Time{}
		if q.After != nil {
			got.Lines = q.Lines
		}
		if !same || !reflect.DeepEqual(got, q) {
			t.Errorf("%+v arrived as %+v", q, got)
		}
	}
}

// What was asked for at first is not sent a second time when a follower goes on.
func TestAFollowerOfSilentLogsGoesOnFromWhenItAsked(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, after := range []map[string]int64{nil, {"/x": 7}} {
		path := socketPath(t)
		a := asked{newMaster(), make(chan ctl.LogQuery, 1000)} // more than anybody asks
		serve(t, listen(t, path), a, ctl.Config{})
		c := ctl.New(path)
		ctx, leave := context.WithCancel(within(t))
		began := time.Now()
		g := group.New(ctx, nil)
		g.Go("follower", func(ctx context.Context) {
			q := ctl.LogQuery{Since: noon, Lines: 5, After: after, Follow: true}
			if err := c.Logs(ctx, q, nil); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		first, second := <-a.queries, <-a.queries
		if !first.Since.Equal(noon) || !reflect.DeepEqual(first.After, after) {
			t.Errorf("asked for %+v", first)
		}
		if after != nil && !reflect.DeepEqual(second, first) {
			t.Errorf("asked for %+v, then for %+v", first, second)
		}
		if after == nil && (second.After == nil || second.Since.Before(began) || second.Since.After(time.Now())) {
			t.Errorf("asked for %+v, then for %+v", first, second)
		}
		leave()
		if err := g.Wait(within(t)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAStreamThatFailsSaysWhy(t *testing.T) {
	m, c := start(t)
	ctx := within(t)
	ignore := func(ctl.LogLine) error { return nil }
	err := c.Logs(ctx, ctl.LogQuery{Names: []string{"math", "nobody"}}, ignore)
	if !errors.Is(err, ctl.ErrNotFound) || !strings.Contains(err.Error(), "there is no such name") {
		t.Errorf("before the first line: %v", err)
	}
	m.say("fine")
	m.say("unreadable")
	n := 0
	err = c.Logs(ctx, ctl.LogQuery{Lines: 2, Follow: true}, func(ctl.LogLine) error { n++; return nil })
	if !errors.Is(err, ctl.ErrBusy) || !strings.Contains(err.Error(), "cannot read on") || n != 1 {
		t.Errorf("after %d lines: %v", n, err)
	}
}

func TestTheCallersErrorComesBackAsItIs(t *testing.T) {
	m, c := start(t)
	m.say("x")
	for _, own := range []error{errEnough, ctl.ErrLost} {
		if err := c.Events(within(t), 0, func(ctl.Event) error { return own }); err != own {
			t.Errorf("got %v, want %v", err, own)
		}
	}
}

func TestTooManyFollowersAreRefused(t *testing.T) {
	m, path := newMaster(), socketPath(t)
	serve(t, listen(t, path), m, ctl.Config{})
	ctx := within(t)
	for range 256 {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "GET /v1/events HTTP/1.1\r\nHost: ctl\r\n\r\n")
	}
	if err := m.untilFollowing(ctx, 256); err != nil {
		t.Fatal(err)
	}
	c := ctl.New(path)
	if _, err := take(ctx, c, 0, 1); !errors.Is(err, ctl.ErrBusy) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Info(ctx); err != nil {
		t.Errorf("others suffer: %v", err)
	}
}

// handOver puts a new server behind the socket, as a process that inherited it
// would, and then drains the old one.
func handOver(t *testing.T, ln *net.UnixListener, m ctl.Master, old *ctl.Server) *ctl.Server {
	t.Helper()
	heir, err := inherit.Listener(ln)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { heir.Close() })
	s := serve(t, heir, m, ctl.Config{})
	if err := old.Shutdown(within(t)); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFollowersGoOnInTheNextProcess(t *testing.T) {
	m, path := newMaster(), socketPath(t)
	ln := listen(t, path)
	s := serve(t, ln, m, ctl.Config{})
	c, ctx := ctl.New(path), within(t)
	const rounds = 10
	g := group.New(ctx, nil)
	g.Go("events", func(ctx context.Context) {
		got, err := take(ctx, c, 0, rounds)
		if err != nil || strings.Join(got, "") != "0123456789" {
			t.Errorf("events %v, %v", got, err)
		}
	})
	g.Go("logs", func(ctx context.Context) {
		var got []string
		err := c.Logs(ctx, ctl.LogQuery{Lines: 1, Follow: true}, func(l ctl.LogLine) error {
			if got = append(got, l.Text); len(got) == rounds {
				return errEnough
			}
			return nil
		})
		if err != errEnough || strings.Join(got, "") != "0123456789" {
			t.Errorf("lines %v, %v", got, err)
		}
	})
	if err := m.untilFollowing(ctx, 2); err != nil {
		t.Fatal(err)
	}
	for i := range rounds {
		m.say(fmt.Sprint(i))
		s = handOver(t, ln, m, s)
	}
	if err := g.Wait(ctx); err != nil {
		t.Error(err)
	}
}

func TestFollowersEndWithTheMaster(t *testing.T) {
	m, path := newMaster(), socketPath(t)
	ln := listen(t, path)
	s := serve(t, ln, m, ctl.Config{})
	ctx := within(t)
	g := group.New(ctx, nil)
	g.Go("follower", func(ctx context.Context) {
		if _, err := take(ctx, ctl.New(path), 0, 1); !errors.Is(err, ctl.ErrNotRunning) {
			t.Errorf("got %v", err)
		}
	})
	if err := m.untilFollowing(ctx, 1); err != nil {
		t.Fatal(err)
	}
	s.Drain()
	ln.Close()
	if err := errors.Join(s.Shutdown(ctx), g.Wait(ctx)); err != nil {
		t.Error(err)
	}
}

// TestNoAnswerIsLostOnHandOver asks from many sides while the socket goes from
// one server to the next.
func TestNoAnswerIsLostOnHandOver(t *testing.T) {
	m, path := newMaster(), socketPath(t)
	ln := listen(t, path)
	s := serve(t, ln, m, ctl.Config{})
	c, ctx := ctl.New(path), within(t)
	asking, stop := context.WithCancel(ctx)
	defer stop()
	var answers atomic.Int64
	g := group.New(ctx, nil)
	for range 8 {
		g.Go("asker", func(context.Context) {
			for asking.Err() == nil {
				if _, err := c.Reload(ctx, ctl.ReloadRequest{}); err != nil {
					t.Errorf("after %d answers: %v", answers.Load(), err)
					return
				}
				answers.Add(1)
			}
		})
	}
	for i := range int64(50) {
		for answers.Load() < 20*i && !t.Failed() {
			select {
			case <-m.entered:
			case <-ctx.Done():
				t.Fatal("nobody asks")
			}
		}
		s = handOver(t, ln, m, s)
	}
	stop()
	if err := g.Wait(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestTheAnswerOfAReloadComesFromTheProcessThatLeaves is a reload in single
// mode: the new process answers already while the old one still owes an answer.
func TestTheAnswerOfAReloadComesFromTheProcessThatLeaves(t *testing.T) {
	old, path := newMaster(), socketPath(t)
	old.hold = make(chan struct{})
	ln := listen(t, path)
	s := serve(t, ln, old, ctl.Config{})
	c, ctx := ctl.New(path), within(t)
	g := group.New(ctx, nil)
	g.Go("reload", func(ctx context.Context) {
		res, err := c.Reload(ctx, ctl.ReloadRequest{Names: []string{"math"}})
		if err != nil || res.Outcome != "committed" {
			t.Errorf("got %+v, %v", res, err)
		}
	})
	<-old.entered

	heir, err := inherit.Listener(ln)
	if err != nil {
		t.Fatal(err)
	}
	defer heir.Close()
	serve(t, heir, newMaster(), ctl.Config{})
	s.Drain()
	if _, err := c.Info(ctx); err != nil {
		t.Errorf("the new one: %v", err)
	}
	short, cancel := context.WithCancel(ctx)
	g.Go("shutdown", func(context.Context) {
		if err := s.Shutdown(short); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	close(old.hold)
	if err := g.Wait(ctx); err != nil {
		t.Error(err)
	}
	cancel()
}

func TestShutdownCutsWhatDoesNotEnd(t *testing.T) {
	m, path := newMaster(), socketPath(t)
	m.hold = make(chan struct{})
	defer close(m.hold)
	ln := listen(t, path)
	s := serve(t, ln, m, ctl.Config{})
	g := group.New(t.Context(), nil)
	g.Go("reload", func(context.Context) {
		_, err := ctl.New(path).Reload(within(t), ctl.ReloadRequest{})
		if !errors.Is(err, ctl.ErrLost) {
			t.Errorf("got %v", err)
		}
	})
	<-m.entered
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errEnough)
	if err := s.Shutdown(ctx); !errors.Is(err, errEnough) || !strings.Contains(err.Error(), "cut 1:") {
		t.Errorf("got %v", err)
	}
	if err := g.Wait(within(t)); err != nil {
		t.Error(err)
	}
	if err := s.Serve(ln); !errors.Is(err, ctl.ErrClosed) {
		t.Errorf("Serve after Shutdown: %v", err)
	}
}
