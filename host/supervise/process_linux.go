package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// killLimit is how long Stop waits for a killed process. Only one that hangs in
// the kernel takes longer.
const killLimit = 5 * time.Second

// Process is one started process.
type Process struct {
	spawner    *Spawner
	name       string
	pid        int
	invocation string
	started    time.Time
	ref        *pidfd
	outputs    []*output
	tail       tail
	done       chan struct{}

	mu     sync.Mutex
	reaped bool // its number and its group may belong to others
	exit   Exit
}

// Name is what the Spec said.
func (p *Process) Name() string { return p.name }

// Pid is the process number; it is also the number of its session and group.
func (p *Process) Pid() int { return p.pid }

// Invocation is what the process sees as INVOCATION_ID: 32 hexadecimal digits.
func (p *Process) Invocation() string { return p.invocation }

// Started is when the process began to run.
func (p *Process) Started() time.Time { return p.started }

// Done is closed when the process has exited, what it left in its session has
// been killed, and its output has been passed on.
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
	err := p.ref.signal(sig)
	if err == nil || errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return fmt.Errorf("cannot send %v to %s (pid %d): %w", sig, p.name, p.pid, err)
}

// Kill kills the process and its whole group at once. What else is in its
// session is killed before Done is closed.
func (p *Process) Kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return os.ErrProcessDone
	}
	if err := unix.Kill(-p.pid, unix.SIGKILL); err != nil {
		return fmt.Errorf("cannot kill %s (pid %d): %w", p.name, p.pid, err)
	}
	return nil
}

// Stop makes the process end: it goes down the ladder, kills, and returns after
// Done. When ctx ends it kills at once. A process that has ended already gives a
// report of that. The error is for one that even SIGKILL did not end in 5
// seconds.
func (p *Process) Stop(ctx context.Context, ladder Ladder) (StopReport, error) {
	began := time.Now()
	report := StopReport{}
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
	var status syscall.WaitStatus
	pid, err := retry(func() (int, error) { return syscall.Wait4(p.pid, &status, syscall.WNOHANG, nil) })
	if err == nil && pid != p.pid {
		return false
	}
	exit.Code = -1
	switch {
	case err != nil:
		exit.Unknown = true
	case status.Signaled():
		exit.Signal, exit.Core = status.Signal(), status.CoreDump()
	default:
		exit.Code = status.ExitStatus()
	}
	p.reaped, p.exit = true, exit
	return true
}
