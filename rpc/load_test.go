package rpc_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
)

// Many callers, and a server that is replaced again and again: no call fails.
func TestReplacingServersUnderLoadFailsNothing(t *testing.T) {
	replacements := 50
	if testing.Short() {
		replacements = 10
	}
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		p, address := movingBed(t, b)
		var pushed atomic.Int64
		current := loadGeneration(t, p, b.config(), 0, &pushed)
		load := startLoad(t, b.client, address, 24)
		var shutdowns sync.WaitGroup
		for i := 1; i <= replacements; i++ {
			load.progress(t, r.IntN(200))
			old := current
			current = loadGeneration(t, p, b.config(), i, &pushed)
			shutdowns.Go(func() {
				if err := old.Shutdown(timeout(t, 60*time.Second)); err != nil {
					t.Errorf("generation %d: %v", i-1, err)
				}
			})
		}
		load.progress(t, 100)
		eventually(t, "the last generation is called", func() bool { return load.saw(replacements) })
		load.stop()
		shutdowns.Wait()
		eventually(t, "all pushes have come", func() bool { return pushed.Load() == load.pushes.Load() })
		seen := load.generations()
		t.Logf("%d calls, %d pushes over %d generations", load.calls.Load(), load.pushes.Load(), len(seen))
		if len(seen) < min(replacements, 10) {
			t.Errorf("only generations %v were called", seen)
		}
	})
}

func loadGeneration(t *testing.T, p *port, c rpc.Config, number int, pushed *atomic.Int64) *rpc.Endpoint {
	e := newEndpoint(t, c)
	mustHandlePush(t, e, "/count", func(rpc.Context, int) error {
		pushed.Add(1)
		return nil
	})
	mustHandle(t, e, "/work", func(ctx rpc.Context, wait time.Duration) (int, error) {
		if wait > 0 {
			<-time.After(wait)
		}
		// The other side is asked, too, on whatever connection this came over.
		var twice int
		err := ctx.Session().Call(ctx, "/twice", number, &twice)
		return twice / 2, err
	})
	serveListener(t, e, p.view())
	return e
}

// load is a crowd of callers over one client.
type load struct {
	t             *testing.T
	calls, pushes atomic.Int64
	quit          chan struct{}
	all           sync.WaitGroup
	mu            sync.Mutex
	seen          map[int]bool
}

func startLoad(t *testing.T, e *rpc.Endpoint, address string, callers int) *load {
	mustHandle(t, e, "/twice", func(_ rpc.Context, n int) (int, error) { return 2 * n, nil })
	l := &load{t: t, quit: make(chan struct{}), seen: map[int]bool{}}
	c := e.Client(address)
	for i := range callers {
		l.all.Go(func() { l.run(c, rand.New(rand.NewPCG(uint64(i), 1))) })
	}
	return l
}

func (l *load) run(c *rpc.Client, r *rand.Rand) {
	for {
		select {
		case <-l.quit:
			return
		default:
		}
		wait := time.Duration(0)
		if r.IntN(10) == 0 {
			wait = time.Duration(r.IntN(20)) * time.Millisecond
		}
		var number int
		if err := c.Call(timeout(l.t, 30*time.Second), "/work", wait, &number); err != nil {
			l.t.Errorf("call failed: %v", err)
			return
		}
		if err := c.Push(l.t.Context(), "/count", number); err != nil {
			l.t.Errorf("push failed: %v", err)
			return
		}
		l.calls.Add(1)
		l.pushes.Add(1)
		l.mu.Lock()
		l.seen[number] = true
		l.mu.Unlock()
	}
}

// progress waits for n more calls.
func (l *load) progress(t *testing.T, n int) {
	t.Helper()
	from := l.calls.Load()
	eventually(t, "calls go on", func() bool { return l.calls.Load() >= from+int64(n) })
}

func (l *load) stop() {
	close(l.quit)
	l.all.Wait()
}

func (l *load) saw(number int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen[number]
}

func (l *load) generations() (list []int) {
	for n := range l.seen {
		list = append(list, n)
	}
	slices.Sort(list)
	return list
}
