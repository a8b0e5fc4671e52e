package supervise

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// exits notices when processes exit: by one poll of their descriptors, and one
// goroutine, which is there as long as there are processes.
type exits struct {
	mu    sync.Mutex
	poll  *os.File           // nil while nobody is watched
	wards map[pidfd]*Process // watched, until they are buried
}

// enroll has the exit of p noticed by ref, which is p's own descriptor or that of
// the process whose exit counts as its. It does not need the family lock.
func (s *Spawner) enroll(p *Process, ref pidfd) error {
	e := &s.exits
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.poll == nil {
		if err := s.openPoll(); err != nil {
			return err
		}
	}
	if err := watch(e.poll, unix.EPOLL_CTL_ADD, ref); err != nil {
		s.closePollIfIdle()
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
	// It is in the poll as long as the poll is there.
	_ = watch(e.poll, unix.EPOLL_CTL_DEL, ref)
	delete(e.wards, ref)
	s.closePollIfIdle()
}

func (s *Spawner) openPoll() error {
	number, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(number, true); err != nil {
		return errors.Join(os.NewSyscallError("fcntl", err), unix.Close(number))
	}
	poll := os.NewFile(uintptr(number), "poll of processes")
	s.exits.poll, s.exits.wards = poll, make(map[pidfd]*Process)
	s.watchers.Go("processes", func(context.Context) { s.attend(poll) })
	return nil
}

// closePollIfIdle ends the goroutine as well.
func (s *Spawner) closePollIfIdle() {
	if len(s.exits.wards) == 0 {
		_ = s.exits.poll.Close()
		s.exits.poll = nil
	}
}

func (s *Spawner) ward(ref pidfd) *Process {
	s.exits.mu.Lock()
	defer s.exits.mu.Unlock()
	return s.exits.wards[ref]
}

// watch has poll tell once that ref has exited.
func watch(poll *os.File, operation int, ref pidfd) error {
	raw, err := poll.SyscallConn()
	if err != nil {
		return err
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: int32(ref)}
	var inner error
	if err := raw.Control(func(number uintptr) { inner = unix.EpollCtl(int(number), operation, int(ref), &event) }); err != nil {
		return err
	}
	return os.NewSyscallError("epoll_ctl", inner)
}

// attend follows processes to their ends, until poll is closed.
func (s *Spawner) attend(poll *os.File) {
	u := &undertaker{spawner: s, poll: poll, members: make(map[pidfd]*funeral), dead: make(map[*Process]bool)}
	raw, err := poll.SyscallConn()
	events := make([]unix.EpollEvent, 128)
	for err == nil {
		if err = poll.SetReadDeadline(u.next()); err != nil {
			return
		}
		n := 0
		err = raw.Read(func(number uintptr) bool {
			n, _ = retry(func() (int, error) { return unix.EpollWait(int(number), events, 0) })
			return n > 0
		})
		for n > 0 {
			for _, event := range events[:n] {
				u.notice(pidfd(event.Fd))
			}
			if n < len(events) {
				break
			}
			// Who exits together is looked after together.
			_ = raw.Control(func(number uintptr) {
				n, _ = retry(func() (int, error) { return unix.EpollWait(int(number), events, 0) })
			})
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
		if err == nil {
			u.round(time.Now())
		}
	}
}
