package supervise

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/dserver/dserver/internal/group"
)

// Spawner starts processes and waits for them. Make one with [New].
type Spawner struct {
	mark     string
	watchers *group.Group
	pumps    *pumps

	// family is held while a process is born and while one is buried, so that
	// whoever holds it sees every child either running, or exited and unreaped, or
	// with its exit written down.
	family sync.Mutex
}

// New returns a Spawner.
func New(o Options) *Spawner {
	watchers := group.New(context.Background(), nil)
	return &Spawner{mark: o.Mark, watchers: watchers, pumps: newPumps(watchers)}
}

// Wait returns nil once all processes have ended, or an error that names those
// which have not when ctx ends.
func (s *Spawner) Wait(ctx context.Context) error { return s.watchers.Wait(ctx) }

// Start starts a process. It returns when the new program runs in place of ours,
// or with the reason why it cannot.
func (s *Spawner) Start(spec Spec) (*Process, error) {
	if err := spec.validate(); err != nil {
		return nil, err
	}
	p := &Process{spawner: s, name: spec.Name, invocation: newInvocation(s.mark), done: make(chan struct{})}
	err := checkMark(s.mark)
	if err == nil {
		err = s.spawn(p, spec)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", spec.Name, err)
	}
	over := make(chan struct{}, len(p.outputs))
	for _, o := range p.outputs {
		o.start(func() { over <- struct{}{} })
	}
	s.watchers.Go(spec.Name, func(context.Context) { s.watch(p, over) })
	return p, nil
}

// watch follows a process to its end.
func (s *Spawner) watch(p *Process, over <-chan struct{}) {
	defer close(p.done)
	defer p.ref.close()
	for {
		// Nothing but the exit ends this wait: there is no deadline, and nobody
		// else closes the descriptor.
		_ = p.ref.wait(time.Time{})
		exit := Exit{Started: p.started, Ended: time.Now()}
		exit.Swept, exit.Left = sweep(p.pid)
		s.family.Lock()
		gone := p.reap(exit)
		s.family.Unlock()
		if gone {
			break
		}
	}
	for _, o := range p.outputs {
		o.finish()
	}
	for range p.outputs {
		<-over
	}
}
