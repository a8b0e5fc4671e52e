package supervise

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// haltLimit is how long Freeze waits for Sinks.
const haltLimit = 5 * time.Second

// frost is whether a Spawner stands still.
type frost struct {
	limit time.Duration // haltLimit

	mu   sync.Mutex // held by who changes that, and by who must not see it change
	hard bool       // the family lock is held until it thaws
}

// Freeze makes everything stand still: no process is started and none is buried,
// so that who exits stays there to be reaped, and what the processes write stays
// in their pipes. From then on [Process.Record] tells the truth, until Thaw or until
// another program runs in our place. Processes can be signalled; Start, and Stop
// of a process that ends, wait for Thaw.
//
// It fails, and nothing stands still, if a Sink takes longer than 5 seconds to
// return from what was passed on to it.
func (s *Spawner) Freeze() error {
	s.frost.mu.Lock()
	defer s.frost.mu.Unlock()
	if s.frost.hard {
		return errors.New("cannot freeze the processes: they are frozen")
	}
	s.family.Lock()
	if err := s.halt(); err != nil {
		s.resume()
		s.family.Unlock()
		return fmt.Errorf("cannot freeze the processes: %w", err)
	}
	s.frost.hard = true
	return nil
}

// Thaw undoes Freeze. For a Spawner that is not frozen it does nothing.
func (s *Spawner) Thaw() {
	s.frost.mu.Lock()
	defer s.frost.mu.Unlock()
	if !s.frost.hard {
		return
	}
	s.frost.hard = false
	s.resume()
	s.family.Unlock()
}

// halt stops reading, of all streams at once.
func (s *Spawner) halt() error {
	type stream struct {
		name   string
		halted <-chan struct{}
	}
	var streams []stream
	for _, p := range s.list() {
		for _, o := range p.outputs {
			streams = append(streams, stream{p.name, o.halt()})
		}
	}
	limit := time.NewTimer(s.frost.limit)
	defer limit.Stop()
	late := false
	var names []string
	for _, st := range streams {
		if !late {
			select {
			case <-st.halted:
				continue
			case <-limit.C:
				late = true
			}
		}
		select {
		case <-st.halted:
		default:
			names = append(names, st.name)
		}
	}
	if late {
		return fmt.Errorf("nobody takes the output of %s", strings.Join(names, ", "))
	}
	return nil
}

func (s *Spawner) resume() {
	for _, p := range s.list() {
		for _, o := range p.outputs {
			o.start(nil)
		}
	}
}
