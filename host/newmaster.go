package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudflare/tableflip"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/cgroup"
	"github.com/dserver/dserver/host/cli"
	"github.com/dserver/dserver/host/logfile"
	"github.com/dserver/dserver/host/program"
	"github.com/dserver/dserver/host/rundir"
	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/sandbox"
)

// newMaster puts a master together. upgrader is nil in multi mode.
func newMaster(ctx context.Context, a *App, o cli.StartOptions, l loaded, upgrader *tableflip.Upgrader, h *herald) (*master, error) {
	m := &master{
		app: a, options: o, dir: l.dir, upgrader: upgrader, herald: h, sockets: &sockets{}, started: time.Now(), commits: 1,
		ended: make(chan struct{}), cutNow: make(chan struct{}), dirty: make(chan struct{}, 1), signals: make(chan os.Signal, 16), hold: make(chan chan struct{}), callers: newCallers(), orders: newOrders(), changes: newTurn(), transitions: newTurn(),
	}
	m.logs = newLogs(o, l)
	m.log = m.logs.masterLogger()
	m.events = newHub(m.logEvent, m.tellPredecessor, m.tellManager, m.noteChange)
	m.group = group.New(ctx, nil)
	m.keepers = group.New(context.WithoutCancel(ctx), nil)
	m.spawner = supervise.New(supervise.Options{Mark: markOf(l.dir)})
	if err := m.keepTogether(); err != nil {
		return nil, err
	}
	own, err := ownBuild()
	if err != nil {
		return nil, err
	}
	m.own, m.path, m.builds = own, own.path, []*build{own}
	names, err := startNames(l.Config, o.Names)
	if err != nil {
		return nil, err
	}
	m.plan = (&plan{content: l.Content, apps: l.Apps, build: own, demo: o.Demo, stopped: names.stopped, levels: map[string]string{}}).withConfig(l.Config)
	m.spared = names.spared
	if m.plan.builds, err = openApps(l.Apps); err != nil {
		return nil, err
	}
	m.builds = append(m.builds, slices.Collect(maps.Values(m.plan.builds))...)
	if upgrader != nil { // services run in this process
		if err := a.shareConfig(m.plan.sandboxes(), m.plan.content, o.Demo); err != nil {
			return nil, err
		}
	}
	return m, m.takeEnvironment()
}

// newSuccessor puts a master together that is to succeed another one. All it
// knows it is told by that one; no file is read again.
func newSuccessor(ctx context.Context, a *App, stdout, stderr io.Writer) (*master, error) {
	from, err := findPredecessor()
	if err != nil {
		return nil, err
	}
	early := slog.New(logfile.NewHandler(logfile.Direct(stderr), logfile.Master, slog.LevelInfo))
	s, err := succeed(ctx, from, early)
	if err != nil {
		return nil, err
	}
	given := s.given.Succession
	d, err := decodeDocument(given.Plan)
	if err != nil {
		s.sayFailed(err)
		return nil, err
	}
	o := cli.StartOptions{Global: given.Global, Mode: given.Mode, Demo: s.given.Demo, Out: stdout, Err: stderr}
	m, err := newMaster(ctx, a, o, loaded{document: d, dir: given.Dir}, from.upgrader, nil)
	if err != nil {
		s.sayFailed(err)
		return nil, err
	}
	m.successor, s.left = s, m.noteLeft
	m.started, m.notify, m.watchdog, m.private = given.Started, given.Notify, given.Watchdog, given.Environ
	for _, b := range s.given.Sandboxes {
		m.plan.stopped[b.Name], m.plan.levels[b.Name] = b.Stopped, b.Level
	}
	return m, nil
}

// keepTogether makes sure that no process of a tree gets lost: whoever loses its
// parent becomes a child of this process, and each tree has a control group if the
// system lets us have one.
func (m *master) keepTogether() (err error) {
	if err := supervise.Subreap(); err != nil {
		return err
	}
	m.groups, err = cgroup.Find(m.dir.Name + "-" + markOf(m.dir)[:8])
	return err
}

// markOf is what the INVOCATION_ID of every process of an instance begins with, so
// that another master of the same folder can find what none knows.
func markOf(dir rundir.Dir) string {
	sum := sha256.Sum256([]byte(dir.Path))
	return hex.EncodeToString(sum[:8])
}

// takeEnvironment reads what is meant for this process alone and removes it, so
// that no child of a sandbox sees it.
func (m *master) takeEnvironment() error {
	if err := inherit.CloseOnExec(); err != nil {
		return err
	}
	m.notify = os.Getenv("NOTIFY_SOCKET")
	m.watchdog = watchdogInterval(os.Getenv)
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
	kept := inherit.Scrub(os.Environ())
	for _, entry := range os.Environ() {
		if slices.Contains(kept, entry) {
			continue
		}
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "DSERVER_") {
			m.private = append(m.private, entry)
		}
		if err := os.Unsetenv(name); err != nil {
			return fmt.Errorf("cannot clean the environment: %w", err)
		}
	}
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
	if err := os.Unsetenv(name); err != nil {
		return 0, false, fmt.Errorf("cannot clean the environment: %w", err)
	}
	return number, true, nil
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
		m.workers = &processRunner{
			spawner: m.spawner, groups: m.groups, group: m.group, log: m.log, logs: m.logs, sockets: m.sockets,
			environ: inherit.Scrub(os.Environ()), grace: func() time.Duration { return m.currentPlan().config.OrphanGrace },
		}
		m.first, m.next = m.workers, m.workers
	}
	m.fleet = newFleet(m.group, m.first, m.events, m.limits)
	m.fleet.essential = m.essentialEnded
	if m.workers != nil {
		m.fleet.note = m.noteNow
	}
	if m.successor != nil {
		m.fleet.begun = m.successor.given.Generation - 1
	}
	m.reloads = newReloader(m.events, m.reload)
	m.reloads.after = m.upgradeAfter
}

func (m *master) limits() limits { return limitsOf(m.currentPlan()) }

func limitsOf(p *plan) limits {
	c := p.config
	return limits{Ready: c.ReadyTimeout, Probation: c.Probation, Drain: c.DrainTimeout, Stop: c.StopTimeout}
}

// logEvent is the log as a consumer of events.
func (m *master) logEvent(e Event, r ctl.Event) {
	if m.awaitsOrder() {
		return // the predecessor is told, and logs it
	}
	if _, cut := e.(WorkCut); cut && m.hasHeir() {
		return // that one is told, and logs it
	}
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
	case WorkerLost, WorkCut, ProgramWarned:
		return slog.LevelWarn
	case ProgramSaid:
		return slog.LevelDebug
	case ProgramEnded:
		if e.Run.By == "" && (e.Run.Code != 0 || e.Run.Signal != "") {
			return slog.LevelWarn
		}
	case ProgramMoved:
		if e.To == program.Fatal {
			return slog.LevelError
		}
	case ReloadEnded:
		if e.Result.Error != "" {
			return slog.LevelWarn
		}
	case MasterUpgraded:
		if e.Result.Error != "" {
			return slog.LevelWarn
		}
	}
	return slog.LevelInfo
}

// tellPredecessor lets the master that waits for this one see how far it is.
func (m *master) tellPredecessor(e Event, _ ctl.Event) {
	moved, ok := e.(SandboxMoved)
	if !ok || !m.awaitsOrder() {
		return
	}
	m.successor.report(moved.Status)
}
