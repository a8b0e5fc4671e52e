package supervise

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/proc"
)

// mainProcess is whom Follow was told of.
type mainProcess struct {
	pid   int
	ticks uint64
	ref   pidfd
	child bool // of ours: an orphan of the tree, in a system where orphans come to us
}

// Main is the number of the process whose exit counts: that of Follow, or else Pid.
func (p *Process) Main() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.main != nil {
		return p.main.pid
	}
	return p.pid
}

// Follow makes another process of the tree the main one: its exit is from now on
// that of p, and it gets the signals. It is for daemons that fork away from the
// process that was started, or replace themselves. The former main process may
// end, and is killed with the rest of the tree when the new one has ended. pid may
// be that of p itself again.
//
// The error is os.ErrProcessDone if the main process has exited already; see
// [Spec.Expiring] for those that exit as soon as they have said who follows. A
// process that does not come of p is refused.
func (p *Process) Follow(pid int) error {
	if err := p.follow(pid); err != nil {
		return fmt.Errorf("cannot follow process %d as %s (pid %d): %w", pid, p.name, p.pid, err)
	}
	return nil
}

func (p *Process) follow(pid int) error {
	next, err := p.heir(pid)
	if err != nil {
		return err
	}
	s := p.spawner
	s.family.Lock()
	defer s.family.Unlock()
	p.mu.Lock()
	if p.reaped || p.dying {
		p.mu.Unlock()
		return errors.Join(os.ErrProcessDone, next.close())
	}
	former := p.main
	p.main = next
	p.mu.Unlock()
	if next != nil {
		// The same process is followed twice at times.
		if err := s.enroll(p, next.ref); err != nil {
			p.mu.Lock()
			p.main = former
			p.mu.Unlock()
			return errors.Join(err, next.close())
		}
		s.children[next.pid] = p
	}
	s.part(p, former)
	return nil
}

// heir finds the process that is to be followed; nil if it is p itself.
func (p *Process) heir(pid int) (*mainProcess, error) {
	if pid == p.pid {
		if p.leaderExited() {
			return nil, errors.New("it has exited")
		}
		return nil, nil
	}
	if pid <= 0 {
		return nil, errors.New("there is no such number")
	}
	ref, err := openPidfd(pid)
	if err != nil {
		return nil, err
	}
	before, err := proc.ReadStat(pid)
	if err == nil && !ref.exited() && !p.owns(pid, before) {
		err = errors.New("it does not come of that one")
	}
	// Nobody else had the number while we looked.
	if after, statErr := proc.ReadStat(pid); err == nil && (statErr != nil || after.Ticks != before.Ticks || ref.exited()) {
		err = errors.New("it has exited")
	}
	if err != nil {
		return nil, errors.Join(err, ref.close())
	}
	return &mainProcess{pid: pid, ticks: before.Ticks, ref: ref, child: childOfOurs(ref)}, nil
}

func (p *Process) leaderExited() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reaped || p.ref.exited()
}

// owns tells whether a process comes of p.
func (p *Process) owns(pid int, s proc.Stat) bool {
	if p.group != nil {
		members, err := p.group.Pids()
		if err == nil {
			return slices.Contains(members, pid)
		}
	}
	// Our own child keeps its number until we reap it, and so its session.
	if p.child && s.Session == p.pid {
		return true
	}
	if bears(pid, p.invocation) {
		return true
	}
	for seen := 0; s.Parent > 1 && seen < maxDepth; seen++ {
		if s.Parent == p.pid {
			return p.child
		}
		var err error
		if s, err = proc.ReadStat(s.Parent); err != nil {
			return false
		}
	}
	return false
}

// bears tells whether a process has been started with this INVOCATION_ID.
func bears(pid int, invocation string) bool {
	var buf []byte
	for range 10 {
		var id string
		var becoming bool
		if id, becoming, buf = proc.Variable(pid, invocationName, buf); !becoming {
			return id == invocation
		}
		time.Sleep(2 * time.Millisecond)
	}
	return false
}

// maxDepth bounds how many ancestors of a process are looked at.
const maxDepth = 1000

// part ends watching a former main process. The family lock is held.
func (s *Spawner) part(p *Process, former *mainProcess) {
	if former == nil {
		return
	}
	s.dismiss(former.ref)
	if s.children[former.pid] == p && former.pid != p.Main() {
		delete(s.children, former.pid)
	}
	former.ref.bury()
	_ = former.close() // it is our own and nobody else has closed it
}

func (m *mainProcess) close() error {
	if m == nil {
		return nil
	}
	return m.ref.close()
}

// refollow is for a process that was followed already when its Record was made.
func (p *Process) refollow(lent syscall.Conn, m Main, boot string) (gone bool, err error) {
	ref, child, err := p.spawner.find(lent, m.Pid, m.Ticks, boot)
	if gone = ref == noPidfd; err == nil && gone {
		ref, err = tombstone()
	}
	if err != nil {
		return gone, err
	}
	p.main = &mainProcess{pid: m.Pid, ticks: m.Ticks, ref: ref, child: child}
	return gone, nil
}

// tombstone is as good as the descriptor of a process that has exited.
func tombstone() (pidfd, error) {
	number, err := unix.Eventfd(1, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	return pidfd(number), os.NewSyscallError("eventfd", err)
}

// target is who gets signals.
func (p *Process) target() pidfd {
	if p.main != nil {
		return p.main.ref
	}
	return p.ref
}

// expire takes note of the exit of ref. It tells false if that is not the exit of
// p, because another process is followed.
func (p *Process) expire(ref pidfd) bool {
	if !p.mourned(ref) && p.expiring != nil {
		// Nobody is told anything while all stands still.
		p.spawner.family.Lock()
		p.spawner.family.Unlock() //lint:ignore SA2001 it is a gate
		p.expiring(p)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dying = p.target() == ref
	return p.dying
}

// mourned tells whether the exit of ref does not count, so that nobody has to be asked.
func (p *Process) mourned(ref pidfd) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.target() != ref
}

// former gives the process that was started, if it has outlived the one that it
// was left for; it is a leftover then.
func (p *Process) former() []member {
	if p.main == nil || p.ref.exited() {
		return nil
	}
	ref, err := p.ref.copy()
	if err != nil {
		return nil // it is killed with its group
	}
	return []member{{pid: p.pid, ref: ref}}
}

// status takes the exit status of the process that counts, and reaps that and the
// one that was started as far as they are ours to reap.
func (p *Process) status() (status syscall.WaitStatus, known, gone bool) {
	if p.main == nil {
		return statusOf(p.pid, p.ref, p.ticks, p.child)
	}
	if !p.ref.exited() {
		return 0, false, false // it has been killed
	}
	status, known, gone = statusOf(p.main.pid, p.main.ref, p.main.ticks, p.main.child)
	if gone {
		p.ref.bury()
	}
	return status, known, gone
}
