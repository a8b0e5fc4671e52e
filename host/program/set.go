package program

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/probe"
	"github.com/dserver/dserver/host/supervise"
)

// Set keeps all programs of a master. Make one with [New].
type Set struct {
	options Options
	start   func(supervise.Spec) (child, error)                                        // of options.Spawner, but in tests
	adopt   func(supervise.Record, supervise.Pipes, supervise.Adoption) (child, error) // likewise
	births  births
	hub     atomic.Pointer[probe.Hub] // nil without a notify socket; set by open
	opening sync.Once
	spread  float64 // jitter of the back-off; 0 is the default

	applying chan struct{} // holds one while a configuration is applied

	// mu is never held while anything is waited for; an instance's goroutine may take
	// it.
	mu       sync.Mutex
	programs []*program // in the order of the file
	groups   []config.Group
	serial   uint64        // counts commands
	heard    chan struct{} // closed when notices are no longer taken; nil if they are not
	closed   bool          // all is stopped, and nothing is started any more
	frozen   chan struct{} // closed by Thaw; nil if it is not frozen
}

// New returns a Set without programs.
func New(o Options) (*Set, error) {
	o, err := o.orDefault()
	if err != nil {
		return nil, err
	}
	s := newSet(o, func(spec supervise.Spec) (child, error) {
		p, err := o.Spawner.Start(spec)
		if err != nil {
			return nil, err // not a nil process in an interface
		}
		return p, nil
	})
	s.adopt = func(r supervise.Record, pipes supervise.Pipes, a supervise.Adoption) (child, error) {
		p, err := o.Spawner.Adopt(r, pipes, a)
		if err != nil {
			return nil, err
		}
		return p, nil
	}
	return s, nil
}

// open opens the notify socket, before the first program is started.
func (s *Set) open(hub func() (*probe.Hub, error)) {
	s.opening.Do(func() {
		if s.options.NotifySocket == "" {
			return
		}
		h, err := hub()
		if err != nil {
			s.options.Log.Error("programs cannot tell anything", "error", err)
			return
		}
		s.hub.Store(h)
		s.options.Group.Go("notify socket", func(ctx context.Context) {
			<-ctx.Done()
			// The socket of a Set that stands still belongs to who goes on in our place.
			if !s.standsStill() {
				h.Close()
			}
		})
	})
}

// hear begins to take what programs tell, if nobody does.
func (s *Set) hear() {
	hub := s.hub.Load()
	if hub == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.heard != nil || s.frozen != nil {
		return
	}
	heard := make(chan struct{})
	s.heard = heard
	if err := hub.Resume(); err != nil {
		s.options.Log.Error("programs are not heard", "error", err)
	}
	s.options.Group.Go("notices", func(ctx context.Context) {
		defer close(heard)
		if err := hub.Serve(); err != nil && ctx.Err() == nil {
			s.options.Log.Error("programs are not heard any more", "error", err)
		}
	})
}

// ignore leaves what programs tell in the socket from now on. All that was taken
// from there is with the instances when it returns.
func (s *Set) ignore() error {
	s.mu.Lock()
	heard := s.heard
	s.heard = nil
	s.mu.Unlock()
	if heard == nil {
		return nil
	}
	if err := s.hub.Load().Pause(); err != nil {
		return err
	}
	<-heard
	return nil
}

func (s *Set) standsStill() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.frozen != nil
}

func (s *Set) newHub() (*probe.Hub, error) {
	return probe.ListenHub(s.options.Group.Context(), s.options.NotifySocket)
}

func newSet(o Options, start func(supervise.Spec) (child, error)) *Set {
	return &Set{options: o, start: start, applying: make(chan struct{}, 1)}
}

// program is one program and its instances. Its fields are guarded by the mutex of
// its set.
type program struct {
	set  *Set
	name string
	turn chan struct{} // holds one while instances are renewed

	changed beacon // flashes when something has changed that others wait for

	def    *config.Program
	units  []*unit
	wanted bool
	wish   uint64 // number of the command that said so
	scaled int    // how many instances somebody asked for; -1: as configured

	written struct { // def as JSON; see text
		def  *config.Program
		text json.RawMessage
	}
}

func (s *Set) newProgram(def *config.Program) *program {
	return &program{set: s, name: def.Name, turn: make(chan struct{}, 1), def: def, scaled: -1}
}

// find gives nil if there is no such program. The mutex must be held.
func (s *Set) find(name string) *program {
	for _, p := range s.programs {
		if p.name == name {
			return p
		}
	}
	return nil
}

// UnknownError is a name that no program and no group has.
type UnknownError struct {
	Name  string
	Known []string // programs, in the order of the file
}

// Error names it.
func (e *UnknownError) Error() string { return fmt.Sprintf("there is no program named %s", e.Name) }

// named gives the programs of that name, or of the groups of that name, each once
// and in the order of the file. The mutex must be held.
func (s *Set) named(names []string) ([]*program, error) {
	wanted := make(map[string]bool)
	for _, name := range names {
		known := false
		for _, p := range s.programs {
			if p.name == name || p.def.Group == name {
				wanted[p.name], known = true, true
			}
		}
		if !known {
			return nil, &UnknownError{Name: name, Known: s.names()}
		}
	}
	var list []*program
	for _, p := range s.programs {
		if wanted[p.name] {
			list = append(list, p)
		}
	}
	return list, nil
}

func (s *Set) names() []string {
	names := make([]string, len(s.programs))
	for i, p := range s.programs {
		names[i] = p.name
	}
	return names
}

// instances is how many there are to be.
func (p *program) instances() int {
	if p.scaled >= 0 {
		return p.scaled
	}
	return p.def.Instances
}

// unit gives an instance, or nil. The mutex must be held.
func (p *program) unit(instance int) *unit {
	for _, u := range p.units {
		if u.instance == instance {
			return u
		}
	}
	return nil
}

// add makes an instance. The mutex must be held.
func (p *program) add(instance int) *unit {
	u := newUnit(p.name, instance, p.def, p)
	if !p.wanted { // nobody will tell it anything
		u.wish, u.dirty = p.wish, true
		u.show()
	}
	p.units = append(p.units, u)
	slices.SortFunc(p.units, func(a, b *unit) int { return a.instance - b.instance })
	p.set.options.Group.Go("keeper of "+u.name, u.loop)
	return u
}

// kept are the instances that are not to leave. The mutex must be held.
func (p *program) kept() []*unit {
	return slices.DeleteFunc(slices.Clone(p.units), func(u *unit) bool { return u.dropped })
}

// vacate implements surroundings.
func (p *program) vacate(u *unit) bool {
	p.set.mu.Lock()
	defer p.set.mu.Unlock()
	if u.dropped {
		p.units = slices.DeleteFunc(p.units, func(o *unit) bool { return o == u })
		p.changed.flash()
	}
	return u.dropped
}

// tell puts a message into the mailboxes of all instances.
func (p *program) tell(m message) {
	for _, u := range p.units {
		u.tell(m)
	}
}

// Programs tells of all programs, in the order of the file. Without history that
// of the instances is left out.
func (s *Set) Programs(history bool) []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Status, len(s.programs))
	for i, p := range s.programs {
		list[i] = p.status(history)
	}
	return list
}

func (p *program) status(history bool) Status {
	st := Status{
		Name: p.name, Wanted: p.wanted, Command: slices.Clone(p.def.Command), Group: p.def.Group,
		Instances: make([]Instance, len(p.units)),
	}
	states := make([]State, len(p.units))
	for i, u := range p.units {
		st.Instances[i] = *u.seen.Load()
		if !history {
			st.Instances[i].History = nil
		}
		states[i] = st.Instances[i].State
	}
	st.State = worst(states)
	return st
}

// What follows makes a program the surroundings of its instances.

func (p *program) errand(name string, f func()) {
	p.set.options.Group.Go(name, func(context.Context) { f() })
}
func (p *program) context() context.Context { return p.set.options.Group.Context() }
func (p *program) limits() Limits           { return p.set.options.Limits().orDefault() }
func (p *program) news()                    { p.changed.flash() }
func (p *program) jitter() float64          { return p.set.spread }
func (p *program) publish(e Event)          { p.set.options.Publish(e) }

var _ surroundings = (*program)(nil)

// beacon tells any number of waiting goroutines that something has changed.
type beacon struct {
	mu sync.Mutex
	c  chan struct{} // nil while nobody waits
}

func (b *beacon) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.c == nil {
		b.c = make(chan struct{})
	}
	return b.c
}

func (b *beacon) flash() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.c != nil {
		close(b.c)
		b.c = nil
	}
}
