package host

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/cloudflare/tableflip"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/cli"
	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/sandbox"
)

// newMaster puts a master together. upgrader is nil in multi mode. A process that
// was started to succeed another master takes its plan from that one.
func newMaster(ctx context.Context, a *App, o cli.StartOptions, l loaded, upgrader *tableflip.Upgrader, h *herald) (*master, error) {
	m := &master{
		app: a, options: o, dir: l.dir, upgrader: upgrader, herald: h, sockets: &sockets{}, started: time.Now(), commits: 1,
		ended: make(chan struct{}), cutNow: make(chan struct{}), orders: newOrders(),
	}
	m.logs = newLogs(o, l)
	m.log = m.logs.masterLogger()
	m.events = newHub(m.logEvent, m.tellPredecessor, m.tellManager)
	m.group = group.New(ctx, nil)
	if err := m.takeEnvironment(); err != nil {
		return nil, err
	}
	own, err := ownBuild()
	if err != nil {
		return nil, err
	}
	m.own, m.path, m.builds = own, own.path, []*build{own}
	stopped, err := startNames(l.Config, o.Names)
	if err != nil {
		return nil, err
	}
	m.plan = &plan{config: l.Config, content: l.Content, build: own, demo: o.Demo, stopped: stopped, levels: map[string]string{}}
	if err := m.findPredecessor(ctx); err != nil {
		return nil, err
	}
	if err := config.ShareWithGoframe(m.plan.content); err != nil {
		return nil, err
	}
	m.chooseRunners()
	return m, nil
}

// takeEnvironment reads what is meant for this process alone and removes it, so
// that no child of a sandbox sees it.
func (m *master) takeEnvironment() error {
	m.notify = os.Getenv("NOTIFY_SOCKET")
	number, ok, err := takeNumber(lifelineVar)
	if err != nil {
		return err
	}
	if ok {
		m.lifeline = os.NewFile(uintptr(number), "lifeline")
	}
	if m.lent, err = inherit.Take(os.LookupEnv); err != nil {
		return err
	}
	if err := unsetAll("NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", tableflipVar, "GF_SERVER_RELOAD"); err != nil {
		return err
	}
	m.environ = os.Environ()
	return nil
}

// takeNumber reads a descriptor number from the environment, once.
func takeNumber(name string) (number int, ok bool, err error) {
	text := os.Getenv(name)
	if text == "" {
		return 0, false, nil
	}
	if number, err = strconv.Atoi(text); err != nil || number < firstDescriptor {
		return 0, false, fmt.Errorf("cannot use %s: %q is no descriptor", name, text)
	}
	return number, true, unsetAll(name)
}

func unsetAll(names ...string) error {
	for _, name := range names {
		if err := os.Unsetenv(name); err != nil {
			return fmt.Errorf("cannot clean the environment: %w", err)
		}
	}
	return nil
}

// findPredecessor makes this master a successor if it was started as one.
func (m *master) findPredecessor(ctx context.Context) error {
	if m.upgrader == nil {
		return nil
	}
	from, err := findPredecessor(m.upgrader)
	if err != nil || from == nil {
		return err
	}
	if m.successor, err = succeed(ctx, from, m.noteLeft, m.log); err != nil {
		return err
	}
	given := m.successor.given
	d, err := decodeDocument(given.Succession.Plan)
	if err != nil {
		return err
	}
	m.started, m.notify = given.Succession.Started, given.Succession.Notify
	p := m.plan.with(func(p *plan) {
		p.config, p.content = d.Config, d.Content
		for _, s := range given.Sandboxes {
			p.stopped[s.Name], p.levels[s.Name] = s.Stopped, s.Level
		}
	})
	m.plan = p
	return nil
}

// chooseRunners decides where generations run: the only place where the modes
// differ.
func (m *master) chooseRunners() {
	if m.upgrader != nil {
		m.first = &localRunner{group: m.group, runtime: func(as Assignment, watch observer) (*sandbox.Runtime, error) {
			return m.app.newRuntime(as, surroundings{logger: m.logs.logger, sockets: m.sockets}, watch)
		}}
		m.next = &flipRunner{group: m.group, log: m.log, upgrader: m.upgrader, hand: m.bequeath, hurry: m.hurry, mark: m.logs.mark}
	} else {
		m.first = &processRunner{
			spawner: supervise.New(), group: m.group, log: m.log, logs: m.logs, sockets: m.sockets,
			environ: inherit.Scrub(os.Environ()),
		}
		m.next = m.first
	}
	m.fleet = newFleet(m.group, m.first, m.events, m.limits)
	if m.successor != nil {
		m.fleet.begun = m.successor.given.Generation - 1
	}
	m.reloads = newReloader(m.events, m.reload)
}

func (m *master) limits() limits { return limitsOf(m.currentPlan()) }

func limitsOf(p *plan) limits {
	c := p.config
	return limits{Ready: c.ReadyTimeout, Probation: c.Probation, Drain: c.DrainTimeout, Stop: c.StopTimeout}
}

// logEvent is the log as a consumer of events.
func (m *master) logEvent(e Event, r ctl.Event) {
	m.log.Log(context.Background(), levelOf(e), r.Text)
}

// levelOf is how important an event is in the log.
func levelOf(e Event) slog.Level {
	switch e := e.(type) {
	case GenerationMoved:
		return slog.LevelDebug
	case SandboxMoved:
		if e.Status.Error == "" {
			return slog.LevelDebug
		}
		return slog.LevelWarn
	case WorkerLost, WorkCut:
		return slog.LevelWarn
	case ReloadEnded:
		if e.Result.Error != "" {
			return slog.LevelWarn
		}
	}
	return slog.LevelInfo
}

// tellPredecessor lets the master that waits for this one see how far it is.
func (m *master) tellPredecessor(e Event, _ ctl.Event) {
	moved, ok := e.(SandboxMoved)
	if !ok || m.successor == nil || m.owns() {
		return
	}
	m.successor.report(moved.Status)
}
