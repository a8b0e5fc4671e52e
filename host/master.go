package host

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/cloudflare/tableflip"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/cgroup"
	"github.com/dserver/dserver/host/cli"
	"github.com/dserver/dserver/host/program"
	"github.com/dserver/dserver/host/rundir"
	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/internal/inherit"
)

// master runs one instance: it owns the sockets, the lock and the control
// socket, and keeps the fleet as the plan wants it. It is used once.
type master struct {
	app      *App
	options  cli.StartOptions
	dir      rundir.Dir
	logs     *logs
	log      *slog.Logger
	events   *hub
	group    *group.Group
	sockets  *sockets
	spawner  *supervise.Spawner
	groups   *cgroup.Tree
	keepers  *group.Group // keep programs; they outlive the order to stop
	programs *program.Set
	spared   []string // programs that the start was not for
	restored bool     // programs of another master stand still here
	fleet    *fleet
	reloads  *reloader
	lock     *rundir.Lock
	control  *controlSocket
	started  time.Time
	notify   string          // NOTIFY_SOCKET of the service manager above, if any
	watchdog time.Duration   // how often that one wants to hear of us; 0: never
	lent     []inherit.Named // sockets that it gave, until they are borrowed
	path     string          // where a reload looks for the new build
	private  []string        // variables of ours, for the preflight of a new build
	own      *build          // what this process runs
	builds   []*build        // open executables; touched by the starter and the reloader only

	first runner // brings in the first generations and what was lost
	next  runner // brings in those of a reload

	former *stateRecord // of a master that was killed; nil if none was

	// In multi mode only.
	workers *processRunner // is first and next
	doors   *reception
	found   []*found // workers of a former master, until they are adopted
	reborn  *reborn  // of a master that goes on where the image before it left off

	// In single mode only.
	upgrader  *tableflip.Upgrader
	successor *successor // of a master that is to succeed another one
	lifeline  *os.File   // to the launcher; nil if there is none
	herald    *herald    // to whoever started it in the background; nil if nobody did

	dirty     chan struct{}     // capacity 1: state.json is to be written
	writing   sync.Mutex        // of state.json; guards the following
	written   [sha256.Size]byte // of what it says
	entrusted bool              // a successor writes it

	callers *callers
	signals chan os.Signal
	hold    chan chan struct{} // signals wait until what is sent here is closed

	orders      orders
	changes     turn // of code and of what is wished of sandboxes: one at a time
	transitions turn // held while generations change; a stop waits for this one alone

	ended   chan struct{} // closed when the master has nothing left to do
	cutNow  chan struct{} // closed by a second order to stop
	cutOnce sync.Once

	mu        sync.Mutex
	state     string
	plan      *plan
	wanted    wishes            // as they are remembered
	ordered   bool              // a successor got the order to open
	opened    bool              // its first generations serve
	upgrading int               // ID of the upgrade that is under way
	upgraded  ctl.UpgradeResult // the last one, which another image may have begun
	succeeded bool              // another process is the master now
	heir      int               // its pid
	stopping  bool
	last      error // what the master ends with, if an essential program says so
	counts    ctl.Reloads
	commits   int
	err       error // why it ended
}

// run is the master's life: take what belongs to the instance, bring the fleet
// up, stand until told to stop or succeeded, and let go.
func (m *master) run(ctx context.Context) error {
	outliveReaders()
	signal.Notify(m.signals, masterSignals()...)
	defer signal.Stop(m.signals)
	m.chooseRunners()
	if err := m.acquire(ctx); err != nil {
		if m.successor != nil {
			m.successor.sayFailed(err)
		}
		return errors.Join(err, m.release())
	}
	m.group.Go("reloads", m.reloads.loop)
	m.group.Go("start", m.begin)
	m.group.Go("guard", m.guard)
	m.group.Go("state", m.keepState)
	if m.workers != nil {
		m.group.Go("recycling", m.recycle)
	}
	m.group.Go("orphans", m.spawner.ReapOrphans)
	m.group.Go("watchdog", m.feedWatchdog)
	m.stand(ctx)
	return errors.Join(m.outcome(), m.release())
}

// stand obeys signals until the master has ended.
func (m *master) stand(ctx context.Context) {
	cancelled := ctx.Done()
	for {
		select {
		case <-m.ended:
			return
		case s := <-m.signals:
			m.obey(s)
		case resume := <-m.hold:
			<-resume
		case <-cancelled:
			cancelled = nil
			m.stop(m.limits().Stop, "cancelled")
		}
	}
}

// obey carries out the order that a signal is. When another process has taken
// over meanwhile, the order is for that one.
func (m *master) obey(s os.Signal) {
	m.log.Info("got a signal", "signal", s.String())
	if m.forward(s) {
		return
	}
	switch m.orders.of(s) {
	case orderReload:
		if _, err := m.reloads.submit(ctl.ReloadRequest{}); err != nil {
			m.log.Warn("cannot reload", "error", err)
		}
	case orderReopen:
		if err := m.logs.reopen(); err != nil {
			m.log.Error("cannot open the logs anew", "error", err)
		}
	case orderQuit:
		m.stop(m.limits().Drain, s.String())
	case orderStop:
		if m.isStopping() {
			m.cutOnce.Do(func() { close(m.cutNow) })
			return
		}
		m.stop(m.limits().Stop, s.String())
	}
}

// begin brings the first generations in. In a process that succeeds another one
// they wait for the order to open before they serve.
func (m *master) begin(ctx context.Context) {
	if m.reborn == nil {
		m.move("starting", "")
	}
	m.warn(m.currentPlan())
	if m.options.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, m.options.Timeout,
			fmt.Errorf("%w: not ready within %v", ctl.ErrTimeout, m.options.Timeout))
		defer cancel()
	}
	give, err := takeAll(ctx, m.changes, m.transitions)
	if err != nil {
		return // told to stop before anything began
	}
	defer give()
	m.adoptWorkers(ctx)
	if m.reborn != nil {
		m.goOn()
		return
	}
	if err := m.bringUp(ctx); err != nil {
		m.startFailed(err)
		return
	}
	m.move("running", "")
	if m.successor != nil {
		m.arrived()
		return
	}
	if m.former != nil {
		m.renewAdopted(m.former)
	}
	m.group.Go("settle", settle)
	m.sayStarted()
}

// settleAfter is how long after a start it has become quiet.
const settleAfter = 2 * time.Second

// settle gives the memory back that the start has taken and nobody needs again.
func settle(ctx context.Context) {
	if wait(ctx, settleAfter) {
		// What pools hold goes with the second collection only, and each one halves the
		// stacks that have become too large; debug.FreeOSMemory is the third.
		runtime.GC()
		runtime.GC()
		debug.FreeOSMemory()
	}
}

// bringUp starts programs and workers, each when what it needs is there. Programs
// that cannot be started keep nobody from it but those who need them.
func (m *master) bringUp(ctx context.Context) error {
	applied := make(chan struct{})
	m.keepers.Go("programs", func(context.Context) {
		defer close(applied)
		if m.successor != nil {
			return // they come with the order to open
		}
		for _, r := range m.applyPrograms(ctx) {
			if r.Program != "" { // else nobody waits for them any more
				m.log.Warn("a program does not run", "program", r.Program, "error", r.Err)
			}
		}
	})
	waves := [][]workload{m.fleet.without(m.currentPlan().workloads())}
	if m.successor == nil { // else what is needed runs already
		waves = m.currentPlan().startWaves(waves[0])
	}
	for i, work := range waves {
		if i > 0 {
			if err := m.awaitNeeds(ctx, work[0].Worker, applied); err != nil {
				return err
			}
		}
		t := m.fleet.newTransition(m.first, work, nil)
		if i == 0 {
			t.beforeCommit = m.awaitOpen
		}
		if err := t.run(ctx); err != nil {
			return err
		}
	}
	select {
	case <-applied:
	case <-ctx.Done():
		return m.unready(context.Cause(ctx))
	}
	return m.takeOver()
}

// goOn brings a master into charge that is another image of the one before. What
// ended meanwhile is started again like anything that is lost.
func (m *master) goOn() {
	m.fleet.reviveMissing(m.currentPlan().workloads())
	if err := m.takeOver(); err != nil {
		m.log.Warn("cannot write down who is the master", "error", err)
	}
	m.move("running", "")
	m.goneOn()
}

// warn logs what the configuration says without effect.
func (m *master) warn(p *plan) {
	for _, w := range p.config.Warnings {
		m.log.Warn(w)
	}
}

// sayStarted tells whoever started the instance that it is ready.
func (m *master) sayStarted() {
	ctx := context.Background()
	s := cli.Started{Info: m.Info(ctx), Sandboxes: m.Sandboxes(ctx), Programs: m.Programs(ctx, ctl.Detail{}), Ready: time.Since(m.started)}
	if m.herald != nil {
		m.herald.say(daemonWord{Started: &s})
	} else if m.options.Ready != nil {
		m.options.Ready(s)
	}
}

// startFailed ends a master whose first generations did not come up.
func (m *master) startFailed(err error) {
	if m.isStopping() {
		m.herald.sayFailed(errStopping)
		return
	}
	m.mu.Lock()
	m.stopping = true // nothing is begun any more
	m.mu.Unlock()
	m.log.Error("cannot start", "error", err)
	if m.successor != nil {
		m.successor.sayFailed(err)
	}
	err = failureOf(err)
	m.herald.sayFailed(err) // programs may take their time to stop
	m.stopEverything(0)     // no worker serves anybody yet
	m.end(err)
}

// end closes ended with the first outcome.
func (m *master) end(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.ended:
	default:
		m.err = err
		close(m.ended)
	}
}

func (m *master) outcome() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

func (m *master) isStopping() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stopping
}

func (m *master) currentPlan() *plan {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.plan
}

// resume is the state after a reload, whatever came of it; a stop that came
// meanwhile stands.
func (m *master) resume() {
	if !m.isStopping() {
		m.move("running", "")
	}
}

func (m *master) move(state, cause string) {
	m.mu.Lock()
	m.state = state
	m.mu.Unlock()
	m.events.publish(MasterMoved{State: state, Cause: cause})
}
