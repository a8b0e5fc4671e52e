package program

import (
	"context"
	"fmt"
)

// Freeze makes the Set stand still: nothing is started, stopped or decided until
// [Set.Thaw], or until another program runs in our place. It waits for starts and
// commands that are under way; when ctx ends before, nothing has changed, and the
// error names them. Commands for the Set wait meanwhile, and what it tells does not
// change.
//
// Freeze the Set before the Spawner, and thaw the Spawner before the Set.
func (s *Set) Freeze(ctx context.Context) error {
	if err := s.births.freeze(ctx); err != nil {
		return fmt.Errorf("cannot freeze the programs: %w", err)
	}
	s.mu.Lock()
	if s.frozen == nil {
		s.frozen = make(chan struct{})
	}
	s.mu.Unlock()
	if err := s.ignore(); err != nil {
		s.Thaw()
		return fmt.Errorf("cannot freeze the programs: %w", err)
	}
	s.mu.Lock()
	still := make(chan struct{})
	count := 0
	for _, p := range s.programs {
		for _, u := range p.units {
			count++
			u.tell(pause{still: still, thaw: s.frozen})
		}
	}
	s.mu.Unlock()
	for range count {
		<-still
	}
	return nil
}

// Thaw undoes Freeze, and lets a Set go on that was restored.
func (s *Set) Thaw() {
	s.mu.Lock()
	if s.frozen != nil {
		close(s.frozen)
		s.frozen = nil
	}
	s.mu.Unlock()
	s.births.thaw()
	s.hear()
}

// pause makes a unit stand still.
type pause struct {
	still chan<- struct{}
	thaw  <-chan struct{}
}

func (m pause) refuse(error) { m.still <- struct{}{} }

func (m pause) apply(u *unit) {
	u.show()
	m.still <- struct{}{}
	select {
	case <-m.thaw:
	case <-u.around.context().Done():
	}
}
