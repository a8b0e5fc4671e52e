package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/cgroup"
)

// killLimit is how long Stop waits for a killed process. Only one that hangs in
// the kernel takes longer.
const killLimit = 2 * sweepLimit

// Process is one started process.
type Process struct {
	spawner    *Spawner
	name       string
	pid        int
	invocation string
	started    time.Time
	order      uint64 // of the birth
	child      bool   // of ours, so that nobody else can reap it
	expiring   func(*Process)
	fate       *Exit // of an adopted one, as far as was known before
	group      *cgroup.Group
	outputs    []*output
	tail       tail
	open       atomic.Int32 // what is to come yet before it is done: its burial, the ends of its outputs
	done       chan struct{}

	mu     sync.Mutex
	ref    pidfd        // noPidfd once it is reaped
	ticks  uint64       // when it started, by the system's clock; 0: nobody has looked yet
	main   *mainProcess // whose exit counts; nil: its own
	dying  bool         // the process whose exit counts has exited
	reaped bool         // its number and its group may belong to others
	exit   Exit
	kin    []member // descendants in sessions of their own, from before it was told to end
}

// Name is what the Spec said.
func (p *Process) Name() string { return p.name }

// Pid is the process number; it is also the number of its session and group.
func (p *Process) Pid() int { return p.pid }

// Invocation is what the process sees as INVOCATION_ID: 32 hexadecimal digits.
func (p *Process) Invocation() string { return p.invocation }

// Started is when the process began to run.
func (p *Process) Started() time.Time { return p.started }

// Done is closed when the process has exited, all that came of it has been
// killed, and its output has been passed on.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit tells how the process ended; it is valid once Done is closed.
func (p *Process) Exit() Exit {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exit
}

// Tail gives the last 50 lines of output, oldest first, at most 4 KiB of each.
func (p *Process) Tail() []string { return p.tail.list() }

// Signal sends sig to the process, not to its children. After its exit the error
// is os.ErrProcessDone.
func (p *Process) Signal(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return os.ErrProcessDone
	}
	err := p.target().signal(sig)
	if err == nil || errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return fmt.Errorf("cannot send %v to %s (pid %d): %w", sig, p.name, p.pid, err)
}

// Kill kills the process and its whole group at once: the control group if it has
// one, else the group of processes. What else came of it is killed before Done is
// closed.
func (p *Process) Kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return os.ErrProcessDone
	}
	p.remember()
	if err := p.killGroup(); err != nil {
		return fmt.Errorf("cannot kill %s (pid %d): %w", p.name, p.pid, err)
	}
	return nil
}

// killGroup is for a process that has not been reaped.
func (p *Process) killGroup() error {
	if p.group != nil && p.group.Kill() == nil {
		return nil
	}
	if p.main != nil {
		// It may be in a group of its own, and has exited at worst.
		_ = p.main.ref.killGroup()
	}
	if !p.child {
		return p.ref.killGroup()
	}
	return os.NewSyscallError("kill", unix.Kill(-p.pid, unix.SIGKILL))
}

// remember takes note of descendants that will not be known by their parents when
// these have ended. Who has a control group needs none of it.
func (p *Process) remember() {
	if p.group != nil {
		return
	}
	known := make(map[int]bool)
	for _, m := range p.kin {
		known[m.pid] = !m.ref.exited()
	}
	p.kin = append(p.kin, strays(p.pid, known)...)
}

func (p *Process) takeKin() []member {
	p.mu.Lock()
	defer p.mu.Unlock()
	kin := p.kin
	p.kin = nil
	return append(kin, p.former()...)
}

// Stop makes the process end: it goes down the ladder, kills, and returns after
// Done. When ctx ends it kills at once. A process that has ended already gives a
// report of that. The error is for one that even SIGKILL did not end in
// 10 seconds.
func (p *Process) Stop(ctx context.Context, ladder Ladder) (StopReport, error) {
	began := time.Now()
	report := StopReport{}
	p.prepare()
	for _, rung := range ladder.orDefault() {
		if p.ended() || ctx.Err() != nil {
			break
		}
		p.take(ctx, rung, &report)
	}
	if !p.ended() {
		if p.Kill() == nil {
			report.Sent = append(report.Sent, syscall.SIGKILL)
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), killLimit)
		defer cancel()
		p.await(ctx, nil)
	}
	report.Exit, report.Took = p.Exit(), time.Since(began)
	if !p.ended() {
		return report, fmt.Errorf("cannot stop %s (pid %d): it lives on after SIGKILL", p.name, p.pid)
	}
	return report, nil
}

// take goes down one rung, and returns when the next one is due.
func (p *Process) take(ctx context.Context, rung Rung, report *StopReport) {
	ctx, cancel := context.WithTimeout(ctx, rung.Wait)
	defer cancel()
	if rung.Run == nil {
		if p.Signal(rung.Signal) == nil {
			report.Sent = append(report.Sent, rung.Signal)
		}
		p.await(ctx, nil)
		return
	}
	// Whatever it does, it cannot keep the next rung from coming.
	failed := make(chan error, 1)
	p.spawner.watchers.Go("stop of "+p.name, func(context.Context) {
		if err := rung.Run(ctx); err != nil {
			failed <- err
		}
	})
	if err := p.await(ctx, failed); err != nil {
		report.Errs = append(report.Errs, err)
	}
}

// prepare is for the beginning of a stop.
func (p *Process) prepare() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		p.remember()
	}
}

// settle takes note that one of the things has come that it takes to be done.
func (p *Process) settle() {
	if p.open.Add(-1) == 0 {
		p.spawner.drop(p)
		close(p.done)
	}
}

func (p *Process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// await returns when the process has ended, ctx has, or an error has come.
func (p *Process) await(ctx context.Context, failed <-chan error) error {
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

// reap takes the exit status of a process that has exited and adds it to what is
// known of its end. It tells false if the process has not exited, after all.
func (p *Process) reap(exit Exit) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	status, known, gone := p.status()
	if !gone && (p.child || time.Since(exit.Ended) < foreignPatience) {
		return false
	}
	exit = p.conclude(exit, status, known)
	p.reaped, p.exit = true, exit
	if p.main != nil {
		p.spawner.dismiss(p.main.ref)
		_ = p.main.close() // as below
	}
	p.spawner.dismiss(p.ref)
	// It is our own and nobody else has closed it.
	_ = p.ref.close()
	p.ref = noPidfd
	return true
}
