package program

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/dserver/dserver/host/supervise"
)

// behaviour is what a fake process does, in virtual time.
type behaviour struct {
	spawnFails bool
	spawnTakes time.Duration
	lives      time.Duration // 0: until it is told to end
	code       int           // with which it ends by itself, or when told
	signal     syscall.Signal
	ignores    bool          // TERM
	lingers    time.Duration // after TERM
	says       []string      // output
}

// fakeSpawner starts processes that are nothing but their behaviour. It is the one
// that knows how many of them live.
type fakeSpawner struct {
	mu       sync.Mutex
	behave   map[string][]behaviour // by name of the spec up to the generation; the last one repeats
	children []*fakeChild
	pid      int
}

func newFakeSpawner() *fakeSpawner {
	return &fakeSpawner{behave: make(map[string][]behaviour), pid: 100}
}

// keyOf takes the generation off a name: web/1.3 post_stop is web/1 post_stop.
func keyOf(name string) string {
	place, rest, _ := strings.Cut(name, ".")
	_, what, ok := strings.Cut(rest, " ")
	if !ok {
		return place
	}
	return place + " " + what
}

func (f *fakeSpawner) next(name string) behaviour {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := keyOf(name)
	program, _, _ := strings.Cut(key, "/")
	for _, k := range []string{key, program} {
		if k == program && strings.Contains(key, " ") {
			break
		}
		if list := f.behave[k]; len(list) > 0 {
			if len(list) > 1 {
				f.behave[k] = list[1:]
			}
			return list[0]
		}
	}
	if strings.Contains(key, " ") {
		return behaviour{lives: time.Millisecond} // a command
	}
	return behaviour{}
}

func (f *fakeSpawner) start(spec supervise.Spec) (child, error) {
	b := f.next(spec.Name)
	time.Sleep(b.spawnTakes)
	if b.spawnFails {
		return nil, errors.New("cannot start " + spec.Name + ": no such file")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pid++
	c := &fakeChild{behaviour: b, spec: spec, pid: f.pid, main: f.pid, started: time.Now(), gone: make(chan struct{})}
	f.children = append(f.children, c)
	if b.lives > 0 {
		time.AfterFunc(b.lives, func() { c.end(b.code, b.signal) })
	}
	return c, nil
}

// adopt gives the process of a record to another Set.
func (f *fakeSpawner) adopt(r supervise.Record, _ supervise.Pipes, _ supervise.Adoption) (child, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.children {
		if c.pid == r.Pid {
			return c, nil
		}
	}
	return nil, fmt.Errorf("there is no process %d", r.Pid)
}

// living gives those that have not ended.
func (f *fakeSpawner) living() []*fakeChild {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.children), (*fakeChild).ended)
}

// named gives the newest process of a place such as web/1, or the one that is named
// such as web/1.3.
func (f *fakeSpawner) named(place string) *fakeChild {
	for _, c := range slices.Backward(f.living()) {
		if keyOf(c.spec.Name) == place || c.spec.Name == place {
			return c
		}
	}
	return nil
}

type fakeChild struct {
	behaviour
	spec    supervise.Spec
	pid     int
	started time.Time
	gone    chan struct{}

	mu   sync.Mutex
	exit supervise.Exit
	sent []syscall.Signal
	main int
}

func (c *fakeChild) Identity() supervise.Record {
	return supervise.Record{Name: c.spec.Name, Pid: c.pid, Started: c.started}
}

func (c *fakeChild) Record() (supervise.Record, supervise.Pipes) {
	return c.Identity(), supervise.Pipes{}
}

func (c *fakeChild) Invocation() string { return "" }
func (c *fakeChild) Main() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.main
}

func (c *fakeChild) Follow(pid int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.main = pid
	return nil
}

func (c *fakeChild) Pid() int              { return c.pid }
func (c *fakeChild) Started() time.Time    { return c.started }
func (c *fakeChild) Done() <-chan struct{} { return c.gone }
func (c *fakeChild) Tail() []string        { return c.says }

func (c *fakeChild) Exit() supervise.Exit {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.exit
}

func (c *fakeChild) ended() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

func (c *fakeChild) end(code int, signal syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended() {
		return
	}
	if signal != 0 {
		code = -1
	}
	c.exit = supervise.Exit{Code: code, Signal: signal, Started: c.started, Ended: time.Now()}
	close(c.gone)
}

func (c *fakeChild) Signal(s syscall.Signal) error {
	c.mu.Lock()
	c.sent = append(c.sent, s)
	c.mu.Unlock()
	switch {
	case s == syscall.SIGKILL:
		c.end(-1, s)
	case s == syscall.SIGTERM && !c.ignores:
		time.AfterFunc(c.lingers, func() { c.end(c.code, 0) })
	}
	return nil
}

func (c *fakeChild) Stop(ctx context.Context, ladder supervise.Ladder) (supervise.StopReport, error) {
	for _, rung := range ladder {
		if ctx.Err() != nil || c.ended() {
			break
		}
		if rung.Run != nil {
			if rung.Run(ctx) != nil {
				continue
			}
		} else {
			c.Signal(rung.Signal)
		}
		timer := time.NewTimer(rung.Wait)
		select {
		case <-c.gone:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	if !c.ended() {
		c.Signal(syscall.SIGKILL)
		<-c.gone
	}
	return supervise.StopReport{Exit: c.Exit()}, nil
}
