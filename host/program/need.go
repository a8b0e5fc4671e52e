package program

import (
	"context"
	"fmt"

	"github.com/dserver/dserver/host/config"
)

// BlockedError is something needed that does not come by itself.
type BlockedError struct {
	Name  string // of what is needed
	State State
	Why   string // it does not come, if it waits itself; empty otherwise
	Want  config.Condition
}

// Error tells what is missing.
func (e *BlockedError) Error() string {
	text := fmt.Sprintf("it needs %s to be %s, and %s is %s", e.Name, e.Want, e.Name, e.State)
	if e.Why != "" {
		text += " (" + e.Why + ")"
	}
	return text
}

// Await waits until a program has come as far as c says: all its instances are
// started, ready or completed. The error is a [*BlockedError] if that cannot come
// without somebody's help, an [*UnknownError], or that of ctx.
func (s *Set) Await(ctx context.Context, name string, c config.Condition) error {
	for {
		met, news, err := s.reached(name, c)
		if met || err != nil {
			return err
		}
		if err := await(ctx, news); err != nil {
			return fmt.Errorf("cannot wait any longer for %s to be %s: %w", name, c, err)
		}
	}
}

func await[T any](ctx context.Context, news <-chan T) error {
	select {
	case <-news:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// reached tells whether a program has come so far, or why it cannot; news is closed
// when that may have changed.
func (s *Set) reached(name string, c config.Condition) (met bool, news <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.find(name)
	if p == nil {
		return false, nil, &UnknownError{Name: name, Known: s.names()}
	}
	news = p.changed.wait() // before we look
	units := p.kept()
	if len(units) == 0 {
		return false, news, &BlockedError{Name: name, State: Stopped, Want: c}
	}
	all := true
	for _, u := range units {
		i := u.seen.Load()
		if i.serial < p.wish {
			all = false // what it was told last is not done yet
			continue
		}
		met, hopeless := meets(i, c)
		if hopeless {
			return false, news, &BlockedError{Name: name, State: i.State, Why: i.blocked, Want: c}
		}
		all = all && met
	}
	return all, news, nil
}

// meets tells whether an instance has come as far as c says, and whether it never
// will by itself.
func meets(i *Instance, c config.Condition) (met, hopeless bool) {
	switch i.State {
	case Stopped, Fatal:
		return false, true
	case Exited:
		return c != config.NeedReady, c == config.NeedReady
	case Ready:
		return c != config.NeedCompleted, false
	case Starting:
		return c == config.NeedStarted && i.Pid != 0, i.blocked != ""
	}
	return false, false
}

// gate waits until everything that a program needs is there. What does not come
// by itself is told to blocked, and waited for all the same.
func (s *Set) gate(ctx context.Context, needs []config.Need, blocked func(why string)) error {
	for _, n := range needs {
		wait := s.waitFor
		if !s.has(n.Name) {
			wait = s.waitOutside
		}
		if err := wait(ctx, n, blocked); err != nil {
			return err
		}
	}
	return nil
}

func (s *Set) waitOutside(ctx context.Context, n config.Need, _ func(why string)) error {
	if err := s.options.Outside(ctx, n.Name, n.Condition); err != nil {
		return fmt.Errorf("it needs %s to be %s: %w", n.Name, n.Condition, err)
	}
	return nil
}

func (s *Set) waitFor(ctx context.Context, n config.Need, blocked func(why string)) error {
	said := ""
	for {
		met, news, err := s.reached(n.Name, n.Condition)
		if news == nil { // it is not there any more
			return err
		}
		why := ""
		if err != nil {
			why = err.Error()
		}
		if why != "" || said != "" { // again and again: see [unit.lookAgain]
			said = why
			blocked(why)
		}
		if met {
			return nil
		}
		if err := await(ctx, news); err != nil {
			return err
		}
	}
}

// missing implements surroundings. What is no program is there, or still waited for.
func (p *program) missing(needs []config.Need) string {
	for _, n := range needs {
		if !p.set.has(n.Name) {
			continue
		}
		met, _, err := p.set.reached(n.Name, n.Condition)
		if err != nil {
			return err.Error()
		}
		if !met {
			break
		}
	}
	return ""
}

func (s *Set) has(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(name) != nil
}

// withNeeds adds to programs all that they need, whatever that needs, and so on;
// the result is in the order of the file. The mutex must be held.
func (s *Set) withNeeds(programs []*program) []*program {
	in := make(map[*program]bool)
	var add func(p *program)
	add = func(p *program) {
		if p == nil || in[p] {
			return
		}
		in[p] = true
		for _, n := range p.def.Needs {
			add(s.find(n.Name))
		}
	}
	for _, p := range programs {
		add(p)
	}
	var list []*program
	for _, p := range s.programs {
		if in[p] {
			list = append(list, p)
		}
	}
	return list
}

// edges gives for each of the programs those among them that it needs, directly or
// by way of others. The mutex must be held.
func (s *Set) edges(programs []*program) map[*program][]*program {
	in := make(map[*program]bool, len(programs))
	for _, p := range programs {
		in[p] = true
	}
	needs := make(map[*program][]*program, len(programs))
	for _, p := range programs {
		for _, q := range s.withNeeds([]*program{p}) {
			if q != p && in[q] {
				needs[p] = append(needs[p], q)
			}
		}
	}
	return needs
}
