package supervise

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/internal/proc"
)

// Adopt goes on with a process that another Spawner has started: in the program
// that ran in this process before (then it is still a child of ours), or in
// another process. r is what its [Process.Record], or at least its
// [Process.Identity], was there.
//
// pipes are the read ends of its output, which stay open; Adopt works on copies.
// One that is missing is opened anew from the process, as long as it or a process
// that it has started has the other end. Of a stream that is over, or that nobody
// has any more, the Sink hears the end only.
//
// A process that has exited meanwhile is done soon, with its exit status if the
// system still has it: it has that of a child of ours, that of a stranger's child
// that nobody has reaped, and from Linux 6.15 on that of who was reaped after
// Adopt; besides there is what the Record says. Else the exit is Unknown. What it
// left behind is killed, and a number that belongs to somebody else by now is left
// alone.
//
// In a frozen Spawner a process is taken over and nothing else: it is read from,
// and buried, after [Spawner.Thaw].
func (s *Spawner) Adopt(r Record, pipes Pipes, a Adoption) (*Process, error) {
	s.frost.mu.Lock()
	defer s.frost.mu.Unlock()
	if !s.frost.hard {
		s.family.Lock()
		defer s.family.Unlock()
	}
	p, err := s.adopt(r, pipes, a)
	if err != nil {
		return nil, fmt.Errorf("cannot adopt %s (pid %d): %w", r.Name, r.Pid, err)
	}
	return p, nil
}

func (s *Spawner) adopt(r Record, pipes Pipes, a Adoption) (*Process, error) {
	if r.Name == "" || r.Pid <= 0 {
		return nil, errors.New("the record names no process")
	}
	p := &Process{
		spawner: s, name: r.Name, pid: r.Pid, ticks: r.Ticks, invocation: r.Invocation, started: r.Started,
		group: a.Group, expiring: a.Expiring, fate: r.Exit, done: make(chan struct{}),
	}
	for _, line := range r.Tail {
		p.tail.add([]byte(line + "\n"))
	}
	var err error
	leader, counts := pipes.Process, pipes.Process
	if r.Main != nil {
		leader = nil
	}
	if p.ref, p.child, err = s.find(leader, r.Pid, r.Ticks, r.Boot); err != nil {
		return nil, err
	}
	gone := p.ref == noPidfd
	if gone {
		if p.ref, err = tombstone(); err != nil {
			return nil, err
		}
	}
	if r.Main != nil {
		if gone, err = p.refollow(counts, *r.Main, r.Boot); err != nil {
			return nil, errors.Join(err, p.ref.close())
		}
	}
	if gone {
		p.reaped = true
		p.exit = p.conclude(Exit{Started: p.started, Ended: time.Now()}, 0, false)
	}
	if err := s.receive(p, r, pipes, a); err != nil {
		return nil, errors.Join(err, closeOutputs(p.outputs), p.main.close(), p.ref.close())
	}
	return p, nil
}

// find gives a reference to the process that had this number when it started at
// ticks; noPidfd if it is gone. Who has been lent a reference has one in any case.
func (s *Spawner) find(lent syscall.Conn, pid int, ticks uint64, boot string) (ref pidfd, child bool, err error) {
	if lent != nil {
		err = inherit.Numbers([]syscall.Conn{lent}, func(numbers []uintptr) error {
			ref, err = pidfd(numbers[0]).copy()
			return err
		})
		if err != nil {
			return noPidfd, false, err
		}
		return ref, childOfOurs(ref), nil
	}
	if boot != "" && boot != s.boot() {
		return noPidfd, false, nil
	}
	ref, err = openPidfd(pid)
	if errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.EINVAL) {
		return noPidfd, false, nil
	}
	if err != nil {
		return noPidfd, false, err
	}
	stat, err := proc.ReadStat(pid)
	if err != nil || stat.Ticks != ticks {
		// The number is free, or somebody else's.
		return noPidfd, false, ref.close()
	}
	return ref, childOfOurs(ref), nil
}

// receive takes the process in with its streams.
func (s *Spawner) receive(p *Process, r Record, pipes Pipes, a Adoption) error {
	for _, one := range []struct {
		stream Stream
		pipe   *os.File
		sink   Sink
	}{{r.Stdout, pipes.Stdout, a.Stdout}, {r.Stderr, pipes.Stderr, a.Stderr}} {
		o, err := s.pumps.resume(p, one.stream, one.pipe, one.sink)
		if err != nil {
			return err
		}
		p.outputs = append(p.outputs, o)
	}
	return s.welcome(p)
}

// resume gives the output that goes on with a stream of p.
func (p *pumps) resume(of *Process, stream Stream, pipe *os.File, sink Sink) (*output, error) {
	if stream.Over {
		return &output{phase: phaseOver}, nil
	}
	if pipe == nil {
		var err error
		if pipe, err = of.reopen(stream.Pipe); err != nil {
			return nil, err
		}
		defer pipe.Close()
	}
	return p.adopt(of.name, pipe, sink, &of.tail, stream.Rest)
}

// reopen finds the pipe of a stream again: p has the other end itself, as a rule,
// or somebody that came of it has.
func (p *Process) reopen(inode uint64) (*os.File, error) {
	if pipe, err := reopen(inode, p.pid); err == nil {
		return pipe, nil
	}
	if pipe, err := reopen(inode, p.members()...); err == nil {
		return pipe, nil
	}
	// What was in it is gone with the last who had it.
	return endedPipe()
}

// members are the processes that are known to come of p, wherever they are, and
// those of whom it is not to be seen just now.
func (p *Process) members() []int {
	if p.group != nil {
		if members, err := p.group.Pids(); err == nil {
			return members
		}
	}
	var members []int
	var buf []byte
	for _, pid := range proc.Pids() {
		var id string
		var becoming bool
		if id, becoming, buf = proc.Variable(pid, invocationName, buf); becoming || id != "" && id == p.invocation {
			members = append(members, pid)
		}
	}
	return members
}

// statusOf takes the exit status of a process: from the system, if it is a child
// of ours, which is then reaped. It is not gone if it has not exited, or is not ours
// to reap yet.
func statusOf(pid int, ref pidfd, ticks uint64, child bool) (status syscall.WaitStatus, known, gone bool) {
	if !child {
		return foreignStatus(ref, pid, ticks)
	}
	reaped, err := retry(func() (int, error) { return syscall.Wait4(pid, &status, syscall.WNOHANG, nil) })
	return status, err == nil, err != nil || reaped == pid
}

// take notes down how a process ended.
func (e *Exit) take(status syscall.WaitStatus) {
	e.Code = -1
	if status.Signaled() {
		e.Signal, e.Core = status.Signal(), status.CoreDump()
	} else {
		e.Code = status.ExitStatus()
	}
}

// conclude notes down how p ended, as far as that is known.
func (p *Process) conclude(exit Exit, status syscall.WaitStatus, known bool) Exit {
	switch {
	case known:
		exit.take(status)
	case p.fate != nil:
		swept, left := exit.Swept, exit.Left
		exit = *p.fate
		exit.Swept, exit.Left = exit.Swept+swept, append(exit.Left, left...)
	default:
		exit.Code, exit.Unknown = -1, true
	}
	return exit
}
