package supervise

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/dserver/dserver/internal/group"
)

// Spawner starts processes and waits for them. Make one with [New].
type Spawner struct {
	mark     string
	watchers *group.Group
	pumps    *pumps

	exits exits
	rooms chan struct{} // holds a value for each birth that is prepared or under way
	frost frost
	boot  func() string

	// family is held while a process is born and while one is buried, so that
	// whoever holds it sees every child either running, or exited and unreaped, or
	// with its exit written down.
	family   sync.Mutex
	children map[int]*Process // not reaped, by pid; guarded by family

	mu     sync.Mutex
	all    map[*Process]bool // not done
	births uint64
}

// maxRooms is how many births may be on their way: one, and a few that are ready for
// their turn. Each has all ends of its pipes open, and the kernel copies and closes
// every descriptor of ours at each fork: with a thousand programs that start at once,
// all prepared beforehand, a start took more than twice as long.
const maxRooms = 4

// New returns a Spawner.
func New(o Options) *Spawner {
	watchers := group.New(context.Background(), nil)
	s := &Spawner{
		mark: o.Mark, watchers: watchers, pumps: newPumps(watchers),
		children: make(map[int]*Process), all: make(map[*Process]bool), boot: sync.OnceValue(bootID),
		frost: frost{limit: haltLimit}, rooms: make(chan struct{}, maxRooms),
	}
	s.watchExits()
	return s
}

// Wait returns nil once all processes have ended, or an error that names those
// which have not when ctx ends.
func (s *Spawner) Wait(ctx context.Context) error {
	for _, p := range []*poll{&s.exits.poll, &s.pumps.poll} {
		p.hurry(1)
		defer p.hurry(-1)
	}
	if err := s.watchers.Wait(ctx); err != nil {
		return err
	}
	s.exits.rest()
	s.pumps.poll.rest()
	return nil
}

// Start starts a process. It returns when the new program runs in place of ours,
// or with the reason why it cannot. The Sinks of the Spec are finished in any case,
// each of them once, after a failure before Start returns.
func (s *Spawner) Start(spec Spec) (*Process, error) {
	p, err := s.start(spec)
	if err == nil {
		return p, nil
	}
	for _, sink := range []Sink{spec.Stdout, spec.Stderr} {
		if sink != nil {
			sink.Finish()
		}
	}
	return nil, err
}

func (s *Spawner) start(spec Spec) (*Process, error) {
	if err := spec.validate(); err != nil {
		return nil, err
	}
	p := &Process{
		spawner: s, name: spec.Name, invocation: newInvocation(s.mark), child: true, group: spec.Group, expiring: spec.Expiring,
		ref: noPidfd, done: make(chan struct{}),
	}
	err := checkMark(s.mark)
	if err == nil {
		s.rooms <- struct{}{}
		defer func() { <-s.rooms }()
		err = s.spawn(p, spec)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", spec.Name, err)
	}
	return p, nil
}

// welcome takes a process in that has just been born, or adopted: p.pid, p.ref and
// p.outputs are there. It is called with the family lock held.
func (s *Spawner) welcome(p *Process) error {
	if err := s.enroll(p, p.ref); err != nil {
		return err
	}
	s.children[p.pid] = p
	if p.main != nil {
		if err := s.enroll(p, p.main.ref); err != nil {
			s.dismiss(p.ref)
			s.forget(p)
			return err
		}
		s.children[p.main.pid] = p
	}
	s.mu.Lock()
	s.births++
	p.order = s.births
	s.all[p] = true
	s.mu.Unlock()
	p.open.Store(1)
	for _, o := range p.outputs {
		if !o.isOver() {
			p.open.Add(1)
		}
	}
	for _, o := range p.outputs {
		if o.over = p.settle; !s.frost.hard {
			o.start(nil)
		}
	}
	return nil
}

// forget is for a process that has been reaped.
func (s *Spawner) forget(p *Process) {
	pids := []int{p.pid}
	if p.main != nil {
		pids = append(pids, p.main.pid)
	}
	for _, pid := range pids {
		if s.children[pid] == p {
			delete(s.children, pid)
		}
	}
}

// drop is for a process that is done.
func (s *Spawner) drop(p *Process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, p)
}

// list gives the processes that are not done, in the order of their births.
func (s *Spawner) list() []*Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Keys(s.all), func(a, b *Process) int { return cmp.Compare(a.order, b.order) })
}
