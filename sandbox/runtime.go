package sandbox

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"regexp"

	"github.com/dserver/dserver/internal/group"
)

// Entry is one sandbox as the host knows it.
type Entry struct {
	Name         string
	New          func() Service // called before each run; may give the same value each time
	Listen       []Listen       // declared sockets, in order
	Config       map[string]any // what Box.Config reads
	ReadyAtStart bool           // the sandbox is ready when Serve was called; default: when it calls Box.Ready
	Restart      RestartPolicy
	Level        slog.Level // of the sandbox's logger; see Runtime.SetLevel
	Disabled     bool       // not started by Runtime.Start
}

// Env is what a runtime needs from its host.
type Env struct {
	Mode string // single or multi; Box.Mode tells it

	// Logger gives the logger of a sandbox. It must let all levels through: the
	// runtime filters by the sandbox's own level. Default: discard.
	Logger func(sandbox string) *slog.Logger

	Sockets Sockets // may be nil: then nobody can listen

	// Observe is told of every change of state, for one sandbox in order. It must
	// return soon and may call nothing of the runtime but Status.
	Observe func(Status)
}

// Sockets gives out sockets that the master owns. Each call returns a descriptor
// of its own, which the caller closes; closing it must not disturb the socket.
// Listeners must have SetDeadline, as those of package net have.
type Sockets interface {
	Listener(ctx context.Context, sandbox string, l Listen) (net.Listener, error)
	PacketConn(ctx context.Context, sandbox string, l Listen) (net.PacketConn, error)
}

// Report tells what did not end well, one line each, "sandbox: what".
type Report struct {
	Cut   []string // work that was ended before it was done
	Stuck []string // what still runs
}

func (r *Report) add(o Report) {
	r.Cut = append(r.Cut, o.Cut...)
	r.Stuck = append(r.Stuck, o.Stuck...)
}

// Runtime runs the sandboxes of one process. It is safe for concurrent use.
type Runtime struct {
	units []*unit // in start order
	gate  *gate
	group *group.Group
}

// NewRuntime checks entries and returns a runtime that runs nothing yet.
func NewRuntime(entries []Entry, env Env) (*Runtime, error) {
	if env.Logger == nil {
		env.Logger = func(string) *slog.Logger { return slog.New(slog.DiscardHandler) }
	}
	r := &Runtime{gate: newGate(), group: group.New(context.Background(), nil)}
	seen := make(map[string]bool)
	for _, e := range entries {
		if seen[e.Name] {
			return nil, fmt.Errorf("cannot make a runtime: two sandboxes are called %q", e.Name)
		}
		seen[e.Name] = true
		e, err := e.checked()
		if err != nil {
			return nil, fmt.Errorf("cannot make a runtime: sandbox %q: %w", e.Name, err)
		}
		r.units = append(r.units, newUnit(e, env, r.gate, r.group))
	}
	return r, nil
}

// Served adds up the requests that all sandboxes have answered, as far as their
// services tell; see [Box.Served].
func (r *Runtime) Served() (sum int64) {
	for _, u := range r.units {
		sum += u.work.sum()
	}
	return sum
}

// ValidName tells whether name can be the name of a sandbox.
func ValidName(name string) bool {
	ok, err := regexp.MatchString(`^[a-z0-9][a-z0-9-]{0,62}$`, name)
	return ok && err == nil
}

// checked returns e with its defaults.
func (e Entry) checked() (Entry, error) {
	if !ValidName(e.Name) {
		return e, fmt.Errorf("a name has 1 to 63 of a-z, 0-9 and -, and does not begin with -")
	}
	if e.New == nil {
		return e, fmt.Errorf("there is nothing to run: New is nil")
	}
	e.Restart = e.Restart.withDefaults()
	if err := e.Restart.validate(); err != nil {
		return e, err
	}
	names := make(map[string]bool)
	listen := make([]Listen, len(e.Listen))
	for i, l := range e.Listen {
		if err := l.validate(); err != nil {
			return e, err
		}
		if l.Name != "" && names[l.Name] {
			return e, fmt.Errorf("two sockets are called %q", l.Name)
		}
		names[l.Name] = true
		l.declared = true
		listen[i] = l
	}
	e.Listen = listen
	return e, nil
}

// Start starts the sandboxes in order, each when the one before is ready. If one
// fails, or ctx ends, those that were started are stopped again in reverse order
// and the error is a [*StartError]. Listeners do not accept before [Runtime.Open].
func (r *Runtime) Start(ctx context.Context) error {
	for i, u := range r.units {
		if u.entry.Disabled {
			continue
		}
		if err := u.start(ctx); err != nil {
			return &StartError{Sandbox: u.entry.Name, Cause: err, Stuck: r.takeBack(ctx, i)}
		}
	}
	return nil
}

// takeBack stops the units before i in reverse and names what stays, i included.
func (r *Runtime) takeBack(ctx context.Context, i int) []string {
	// The start's own time may be over; nothing was accepted yet, so there is
	// little to wait for.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), overrunAfter)
	defer cancel()
	var report Report
	if u := r.units[i]; u.snapshot().State == Stuck {
		report.add(u.wait(ctx, u.beginStop()))
	}
	report.add(r.stopAll(ctx, r.units[:i]))
	return report.Stuck
}

// Open lets the listeners of all sandboxes accept, now and after restarts.
func (r *Runtime) Open() { r.gate.Open() }

// Drain stops all sandboxes for good: in reverse start order each stops taking
// new work, and then all finish what they have at the same time. When ctx ends,
// what still runs is cancelled; two seconds later what is left is reported as
// stuck.
func (r *Runtime) Drain(ctx context.Context) Report {
	for _, u := range r.units {
		u.close()
	}
	return r.stopAll(ctx, r.units)
}

func (r *Runtime) stopAll(ctx context.Context, units []*unit) Report {
	var report Report
	orders := make([]stopping, len(units))
	for i := len(units) - 1; i >= 0; i-- {
		orders[i] = units[i].beginStop()
	}
	for i := len(units) - 1; i >= 0; i-- {
		report.add(units[i].wait(ctx, orders[i]))
	}
	return report
}

// StartSandbox starts one sandbox and waits until it is ready. If ctx ends first
// the start is taken back. One that is ready stays as it is.
func (r *Runtime) StartSandbox(ctx context.Context, name string) error {
	u, err := r.unit(name)
	if err != nil {
		return err
	}
	if err := u.start(ctx); err != nil {
		return fmt.Errorf("cannot start sandbox %q: %w", name, err)
	}
	return nil
}

// StopSandbox drains one sandbox; ctx is the drain deadline, as for Drain. One
// that does not run is left alone. The error is ErrStuck if it did not end.
func (r *Runtime) StopSandbox(ctx context.Context, name string) (Report, error) {
	u, err := r.unit(name)
	if err != nil {
		return Report{}, err
	}
	return u.stop(ctx)
}

// RestartSandbox stops one sandbox and starts it again in the same code. ctx is
// the drain deadline first and then the limit for the start, which gets as much
// time again if the draining took it all. A stuck sandbox is refused: ErrStuck.
func (r *Runtime) RestartSandbox(ctx context.Context, name string) (Report, error) {
	u, err := r.unit(name)
	if err != nil {
		return Report{}, err
	}
	report, err := u.restart(ctx)
	if err != nil {
		return report, fmt.Errorf("cannot restart sandbox %q: %w", name, err)
	}
	return report, nil
}

// SetLevel sets the level of one sandbox's logger at once.
func (r *Runtime) SetLevel(name string, level slog.Level) error {
	u, err := r.unit(name)
	if err != nil {
		return err
	}
	u.level.Set(level)
	return nil
}

// Status tells the state of all sandboxes, in start order.
func (r *Runtime) Status() []Status {
	all := make([]Status, len(r.units))
	for i, u := range r.units {
		all[i] = u.snapshot()
	}
	return all
}

func (r *Runtime) unit(name string) (*unit, error) {
	for _, u := range r.units {
		if u.entry.Name == name {
			return u, nil
		}
	}
	return nil, unknown(name)
}
