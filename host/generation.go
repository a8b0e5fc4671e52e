package host

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dserver/dserver/sandbox"
)

// killGrace is how long an instance has to end after its drain deadline before
// it is killed: sandboxes have two seconds of it (see sandbox.Service).
const killGrace = 3 * time.Second

// generation is one start of a workload, from starting to gone.
type generation struct {
	number  int
	work    workload
	run     instance
	started time.Time
	due     time.Time // when it is replaced for its age; the recycler's alone
	events  *hub

	ready chan struct{}   // closed when the state has become ready
	life  context.Context // ends when the state has become gone
	gone  <-chan struct{} // life's
	die   context.CancelFunc
	freed chan struct{} // closed when this process no longer watches it

	mu        sync.Mutex
	changed   chan struct{} // closed when a sandbox's state changes
	state     State
	failed    error            // why it could not even be started
	sandboxes []sandbox.Status // last known, in start order
}

func newGeneration(number int, w workload, events *hub) *generation {
	g := &generation{number: number, work: w, started: time.Now(), events: events, ready: make(chan struct{}), freed: make(chan struct{}), changed: make(chan struct{})}
	g.life, g.die = context.WithCancel(context.Background())
	g.gone = g.life.Done()
	for _, e := range w.Assignment.Sandboxes {
		g.sandboxes = append(g.sandboxes, sandbox.Status{Name: e.Name, State: sandbox.Stopped, Since: g.started})
	}
	return g
}

// start begins the run. Its end is seen by watch, which the caller must run; if
// the start fails the generation is gone at once.
func (g *generation) start(ctx context.Context, r runner) error {
	run, err := r.start(ctx, g.work, g.observe)
	if err != nil {
		g.mu.Lock()
		g.failed = err
		g.mu.Unlock()
		g.end()
		return fmt.Errorf("cannot start worker %s: %w", g.work.Worker, err)
	}
	g.mu.Lock()
	g.run = run
	g.mu.Unlock()
	g.events.publish(GenerationMoved{Place: g.place(), From: Starting, To: Starting})
	return nil
}

// goOn takes the place of start for a run that another master has begun and that
// serves.
func (g *generation) goOn(run instance, started time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.run, g.started, g.state = run, started, Serving
	close(g.ready)
}

// watch moves the generation when its run gets ready and when it ends.
func (g *generation) watch() {
	select {
	case <-g.run.Ready():
		if g.move(stepReady) == nil {
			close(g.ready)
		}
	case <-g.run.Done():
	}
	select {
	case <-g.run.Done():
		g.end()
	case <-g.freed:
	}
}

// letGo ends the watch without an end of the generation: it lives on as a
// process that keeps itself.
func (g *generation) letGo() { close(g.freed) }

func (g *generation) end() {
	if g.move(stepExit) == nil {
		g.die()
	}
}

// exit tells how a generation that is gone has ended.
func (g *generation) exit() exit {
	if g.run == nil {
		return exit{Cause: g.failed.Error()}
	}
	return g.run.Exit()
}

// commit lets a ready generation serve.
func (g *generation) commit(ctx context.Context) error {
	if err := g.run.Open(ctx); err != nil {
		return fmt.Errorf("cannot let worker %s accept: %w", g.place(), err)
	}
	return g.move(stepCommit)
}

// retire drains the generation and returns when it has gone, at the latest
// shortly after ctx's end.
func (g *generation) retire(ctx context.Context) sandbox.Report {
	if g.move(stepRetire) != nil {
		<-g.gone
		return sandbox.Report{}
	}
	report := g.run.Drain(ctx)
	late := time.NewTimer(killGrace)
	defer late.Stop()
	select {
	case <-g.gone:
	case <-late.C:
		g.run.Kill()
		<-g.gone
	}
	if cut := leftovers(report); len(cut) > 0 {
		g.events.publish(WorkCut{Place: g.place(), What: cut})
	}
	return report
}

// kill ends the generation at once, if it was begun.
func (g *generation) kill() {
	if g.run != nil {
		g.run.Kill()
		<-g.gone
	}
}

func (g *generation) move(e step) error {
	g.mu.Lock()
	from := g.state
	to, err := from.to(e)
	g.state = to
	g.mu.Unlock()
	if err != nil {
		return err
	}
	g.events.publish(GenerationMoved{Place: g.place(), From: from, To: to})
	return nil
}

func (g *generation) observe(s sandbox.Status) {
	g.mu.Lock()
	for i := range g.sandboxes {
		if g.sandboxes[i].Name != s.Name {
			continue
		}
		if same(g.sandboxes[i], s) {
			g.mu.Unlock()
			return // it is told again, by a worker that comes once more
		}
		g.sandboxes[i] = s
	}
	close(g.changed)
	g.changed = make(chan struct{})
	g.mu.Unlock()
	g.events.publish(SandboxMoved{Place: g.place(), Status: s})
}

func same(a, b sandbox.Status) bool {
	return a.State == b.State && a.Error == b.Error && a.Restarts == b.Restarts && a.Since.Equal(b.Since)
}

func (g *generation) place() Place {
	p := Place{Worker: g.work.Worker, Instance: g.work.Instance, Generation: g.number}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.run != nil {
		p.Pid = g.run.Pid()
	}
	return p
}

// awaitDeaf waits until the generation, which was told to drain, accepts nothing
// any more, or ctx ends.
func (g *generation) awaitDeaf(ctx context.Context) {
	for {
		deaf, changed := g.deaf()
		if deaf {
			return
		}
		select {
		case <-changed:
		case <-g.gone:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (g *generation) deaf() (bool, <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.sandboxes {
		if s.State == sandbox.Ready {
			return false, g.changed
		}
	}
	return true, nil
}

// unready names the sandboxes that are not ready yet, for an error's text.
func (g *generation) unready() string {
	_, boxes := g.snapshot()
	var names []string
	for _, b := range boxes {
		if b.State != sandbox.Ready && b.State != sandbox.Stopped {
			names = append(names, fmt.Sprintf("sandbox %s is %s", b.Name, b.State))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ": " + strings.Join(names, ", ")
}

// snapshot gives the state and the sandboxes' states at one moment.
func (g *generation) snapshot() (State, []sandbox.Status) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.state, append([]sandbox.Status(nil), g.sandboxes...)
}

// leftovers is all that did not end well.
func leftovers(r sandbox.Report) []string { return slices.Concat(r.Cut, r.Stuck) }
