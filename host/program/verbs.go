package program

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/dserver/dserver/host/config"
)

// Who asks, as far as commands do.
const (
	byStart   = "start"
	byStop    = "stop"
	byRestart = "restart"
	byReload  = "reload"
	byReset   = "reset"
	byScale   = "scale"
	byConfig  = "configuration"
)

// unknown is the answer to a command for something that is not there.
func unknown(names []string, err error) []Result {
	r := Result{Err: err}
	if e, ok := errors.AsType[*UnknownError](err); ok {
		r.Program = e.Name
	}
	return []Result{r}
}

// Start starts programs, or all of a group, and what they need, and answers when
// they are ready, have failed to start, or wait for something that does not come
// by itself. What runs is left alone. The policy goes on with a start that failed.
//
// As with all commands, ctx ends the waiting and not what was asked for.
func (s *Set) Start(ctx context.Context, names []string) []Result {
	s.mu.Lock()
	list, err := s.named(names)
	if err != nil {
		s.mu.Unlock()
		return unknown(names, err)
	}
	s.serial++
	replies := make(map[*program]chan outcome)
	count := make(map[*program]int)
	asked := make(map[*program]bool)
	for _, p := range list {
		asked[p] = true
	}
	for _, p := range s.withNeeds(list) {
		if !asked[p] && p.satisfied() {
			continue
		}
		p.wanted = true
		replies[p], count[p] = p.want(wish{up: true, by: byStart, serial: s.serial})
	}
	s.mu.Unlock()
	return s.inOrder(ctx, list, false, func(p *program) Result { return p.gather(replies[p], count[p]) })
}

// satisfied tells whether a program that is needed has nothing left to do. The
// mutex must be held.
func (p *program) satisfied() bool {
	for _, u := range p.units {
		if u.seen.Load().State != Exited {
			return false
		}
	}
	return p.wanted
}

// want tells all instances what is wished, and gives the answers and their number.
// The mutex must be held.
func (p *program) want(w wish) (chan outcome, int) {
	units := p.units
	if w.up {
		units = p.kept()
	}
	p.wish = w.serial
	replies := make(chan outcome, len(units))
	w.reply = replies
	for _, u := range units {
		if w.up && p.set.closed {
			w.refuse(errClosed)
			continue
		}
		u.tell(w)
	}
	return replies, len(units)
}

// errClosed is the answer to who wants to start something while all is stopped.
var errClosed = errors.New("all programs are being stopped")

// Stop stops programs, or all of a group, and answers when nothing of them runs:
// first those that need others among them, independent ones at the same time.
func (s *Set) Stop(ctx context.Context, names []string) []Result {
	s.mu.Lock()
	list, err := s.named(names)
	if err != nil {
		s.mu.Unlock()
		return unknown(names, err)
	}
	for _, p := range list {
		p.wanted = false
	}
	return s.stop(ctx, list, byStop)
}

// StopAll stops all programs, or first those of some names, for good; nobody can
// start anything afterwards. When ctx ends, what still runs is killed at once. What
// is wanted stays so: see [Set.Wanted].
func (s *Set) StopAll(ctx context.Context, names ...string) []Result {
	s.mu.Lock()
	s.closed = true
	list := slices.DeleteFunc(slices.Clone(s.programs), func(p *program) bool {
		return len(names) > 0 && !slices.Contains(names, p.name)
	})
	done := make(chan struct{})
	defer close(done)
	s.options.Group.Go("limit of the stop", func(context.Context) {
		select {
		case <-done:
		case <-ctx.Done():
			s.kill(list)
		}
	})
	return s.stop(context.WithoutCancel(ctx), list, byStop)
}

// kill ends the patience with programs that are being stopped.
func (s *Set) kill(list []*program) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range list {
		for _, u := range p.units {
			u.tell(stopNow{by: byStop, serial: p.wish})
			u.tell(killNow{by: byStop})
		}
	}
}

// stop is called with the mutex held, and unlocks it.
func (s *Set) stop(ctx context.Context, list []*program, by string) []Result {
	s.serial++
	serial := s.serial
	replies := make(map[*program]chan outcome)
	count := make(map[*program]int)
	for _, p := range list {
		replies[p], count[p] = p.want(wish{by: by, serial: serial, later: true})
	}
	s.mu.Unlock()
	return s.inOrder(ctx, list, true, func(p *program) Result {
		s.mu.Lock()
		p.tell(stopNow{by: by, serial: serial})
		s.mu.Unlock()
		return p.gather(replies[p], count[p])
	})
}

// Restart gives programs new processes, what is needed first, in batches, and
// starts those that do not run.
func (s *Set) Restart(ctx context.Context, names []string) []Result {
	now := time.Now()
	s.mu.Lock()
	list, err := s.named(names)
	if err != nil {
		s.mu.Unlock()
		return unknown(names, err)
	}
	s.serial++
	for _, p := range list {
		p.wanted = true
		p.want(wish{up: true, by: byRestart, serial: s.serial})
	}
	s.mu.Unlock()
	return s.inOrder(ctx, list, false, func(p *program) Result {
		s.mu.Lock()
		def := p.def
		s.mu.Unlock()
		return rollout{program: p, how: config.ReloadRestart, def: def, before: now, by: byRestart}.run(nil)
	})
}

// Reload brings programs to the code that is at their path now, each in its own
// way: see [config.Reload]. Those that do not run, though they are wanted, are
// started.
func (s *Set) Reload(ctx context.Context, names []string) []Result {
	now := time.Now()
	s.mu.Lock()
	list, err := s.named(names)
	s.mu.Unlock()
	if err != nil {
		return unknown(names, err)
	}
	return s.inOrder(ctx, list, false, func(p *program) Result { return s.reload(p, now) })
}

func (s *Set) reload(p *program, before time.Time) Result {
	s.mu.Lock()
	def, wanted := p.def, p.wanted
	s.mu.Unlock()
	switch sig, ok := def.Reload.Signal(); {
	case !wanted:
		return Result{Program: p.name, State: s.stateOf(p), Remark: "it is not to run"}
	case ok:
		return p.send(sig)
	case def.Reload == config.ReloadNone:
		return Result{Program: p.name, State: s.stateOf(p), Remark: "reload = none: it was left alone"}
	}
	return rollout{program: p, how: wayOf(def), def: def, before: before, by: byReload}.run(nil)
}

// Signal sends a signal to the main process of each instance of programs.
func (s *Set) Signal(ctx context.Context, names []string, sig syscall.Signal) []Result {
	s.mu.Lock()
	list, err := s.named(names)
	s.mu.Unlock()
	if err != nil {
		return unknown(names, err)
	}
	return s.inOrder(ctx, list, false, func(p *program) Result { return p.send(sig) })
}

func (p *program) send(sig syscall.Signal) Result {
	p.set.mu.Lock()
	replies := make(chan outcome, len(p.units))
	p.tell(sending{signal: sig, reply: replies})
	count := len(p.units)
	p.set.mu.Unlock()
	return p.gather(replies, count)
}

// Reset forgets failures: what was given up, or waits for a restart, is started at
// once. It answers before that is ready.
func (s *Set) Reset(ctx context.Context, names []string) []Result {
	s.mu.Lock()
	list, err := s.named(names)
	if err != nil {
		s.mu.Unlock()
		return unknown(names, err)
	}
	replies := make(map[*program]chan outcome)
	count := make(map[*program]int)
	for _, p := range list {
		c := make(chan outcome, len(p.units))
		p.tell(reset{by: byReset, reply: c})
		replies[p], count[p] = c, len(p.units)
	}
	s.mu.Unlock()
	return s.inOrder(ctx, list, false, func(p *program) Result {
		return p.gather(replies[p], count[p])
	})
}

// MaxInstances is how many instances a program may have.
const MaxInstances = 1024

// Scale sets how many instances of a program run. It is remembered until the
// configuration says another number.
func (s *Set) Scale(ctx context.Context, name string, instances int) Result {
	if instances < 0 || instances > MaxInstances {
		return Result{Program: name, Err: fmt.Errorf("cannot run %d instances: want 0 to %d", instances, MaxInstances)}
	}
	s.mu.Lock()
	p := s.find(name)
	if p == nil {
		err := &UnknownError{Name: name, Known: s.names()}
		s.mu.Unlock()
		return Result{Program: name, Err: err}
	}
	p.scaled = instances
	replies, count := p.resize(byScale)
	s.mu.Unlock()
	return s.inOrder(ctx, []*program{p}, false, func(p *program) Result { return p.gather(replies, count) })[0]
}

// resize makes or removes instances until there are as many as there are to be.
// The mutex must be held.
func (p *program) resize(by string) (chan outcome, int) {
	n := p.instances()
	replies := make(chan outcome, max(n, len(p.units)))
	count := 0
	for _, u := range p.units {
		if u.instance > n && !u.dropped {
			u.dropped = true
			count++
			u.tell(removal{by: by, reply: replies})
		}
	}
	for i := range n {
		u := p.unit(i + 1)
		if u != nil && !u.dropped {
			continue
		}
		if u == nil {
			u = p.add(i + 1)
		}
		u.dropped = false
		if p.wanted && !p.set.closed {
			count++
			u.tell(wish{up: true, by: by, serial: p.wish, reply: replies})
		}
	}
	p.changed.flash()
	return replies, count
}
