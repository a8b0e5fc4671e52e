package supervise

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// exits notices when processes exit.
type exits struct {
	poll poll // of the descriptors of processes

	mu    sync.Mutex
	wards map[pidfd]*Process // watched, until they are buried
	crib  crib               // for the goroutine of the poll
}

// watchExits makes s notice exits.
func (s *Spawner) watchExits() {
	u := &undertaker{spawner: s, members: make(map[pidfd]*funeral), dead: make(map[*Process]bool)}
	s.exits.wards = make(map[pidfd]*Process)
	s.exits.poll.name, s.exits.poll.tasks = "processes", s.watchers
	s.exits.poll.next = u.next
	s.exits.poll.turn = func(events []unix.EpollEvent) {
		for _, event := range events {
			u.notice(pidfd(idOf(event)))
		}
		u.round(time.Now())
		if len(u.funerals) == 0 {
			s.exits.crib.close()
		}
	}
}

// enroll has the exit of p noticed by ref, which is p's own descriptor or that of
// the process whose exit counts as its. It does not need the family lock.
func (s *Spawner) enroll(p *Process, ref pidfd) error {
	e := &s.exits
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.poll.add(int(ref), unix.EPOLLIN, uint64(ref)); err != nil {
		return err
	}
	e.wards[ref] = p
	return nil
}

// dismiss undoes enroll, before ref is closed.
func (s *Spawner) dismiss(ref pidfd) {
	e := &s.exits
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.wards[ref] == nil {
		return
	}
	delete(e.wards, ref)
	// It is in the poll as long as it is a ward.
	_ = e.poll.remove(int(ref))
}

func (s *Spawner) ward(ref pidfd) *Process {
	s.exits.mu.Lock()
	defer s.exits.mu.Unlock()
	return s.exits.wards[ref]
}

// rest lets go of what is only needed while there are processes.
func (e *exits) rest() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.poll.rest()
}
