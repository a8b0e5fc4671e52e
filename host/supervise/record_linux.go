package supervise

import (
	"bytes"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/proc"
)

// Identity is a Record that says which process this is, and nothing of what it is
// about to write. It can be had at any time, and serves to find the process again
// when we have ended without a word.
func (p *Process) Identity() Record {
	r := Record{
		Name: p.name, Pid: p.pid, Boot: p.spawner.boot(), Invocation: p.invocation, Started: p.started,
		Group: p.group.Name(), Stdout: p.outputs[0].stream(), Stderr: p.outputs[1].stream(),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ticks == 0 && !p.reaped {
		// It cannot fail for a process that nobody has reaped.
		stat, _ := proc.ReadStat(p.pid)
		p.ticks = stat.Ticks
	}
	r.Ticks = p.ticks
	if p.main != nil {
		r.Main = &Main{Pid: p.main.pid, Ticks: p.main.ticks}
	}
	if p.reaped {
		exit := p.exit
		r.Exit = &exit
	}
	return r
}

// Record says all that another Spawner has to know to go on with the process, and
// gives the pipes to go on with. They stay the process's own: they are to be kept
// or sent, not to be read or closed. It is for a frozen Spawner; see
// [Spawner.Freeze].
func (p *Process) Record() (Record, Pipes) {
	r := p.Identity()
	r.Tail = p.tail.list()
	var pipes Pipes
	if r.Exit == nil {
		r.Exit = p.foreseen()
		pipes.Process = p.lend()
	}
	if o := p.outputs[0]; !r.Stdout.Over {
		r.Stdout.Rest, pipes.Stdout = bytes.Clone(o.rest()), o.pipe
	}
	if o := p.outputs[1]; !r.Stderr.Over {
		r.Stderr.Rest, pipes.Stderr = bytes.Clone(o.rest()), o.pipe
	}
	return r, pipes
}

// lend gives a reference to the process that counts, if a number is not enough
// because somebody else may reap it at any time.
func (p *Process) lend() syscall.Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if child := p.main != nil && p.main.child || p.main == nil && p.child; child || p.reaped {
		return nil
	}
	return descriptor(p.target())
}

// foreseen is how a process has ended that was not buried yet, as far as that is
// known. Who goes on may not be able to learn it later.
func (p *Process) foreseen() *Exit {
	p.mu.Lock()
	defer p.mu.Unlock()
	pid, ref, ticks := p.pid, p.ref, p.ticks
	if p.main != nil {
		pid, ref, ticks = p.main.pid, p.main.ref, p.main.ticks
	}
	status, known, gone := foreignStatus(ref, pid, ticks)
	if !gone || !known && p.fate == nil {
		return nil
	}
	exit := p.conclude(Exit{Started: p.started, Ended: time.Now()}, status, known)
	return &exit
}

// stream describes an output.
func (o *output) stream() Stream {
	if o.isOver() {
		return Stream{Over: true}
	}
	inode, err := o.inode()
	// It is over if it has been closed since.
	return Stream{Over: err != nil, Pipe: inode}
}

// inode names the pipe for as long as anybody has it open.
func (o *output) inode() (uint64, error) {
	var stat unix.Stat_t
	err := o.onPipe(func(number int) error { return unix.Fstat(number, &stat) })
	return stat.Ino, err
}
