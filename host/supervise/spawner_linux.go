package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/internal/inherit"
)

// Spawner starts processes and waits for them. Make one with [New].
type Spawner struct {
	watchers *group.Group
	pumps    *pumps

	// family is held while a process is born and while one is buried, so that
	// whoever holds it sees every child either running, or exited and unreaped, or
	// with its exit written down.
	family sync.Mutex
}

// New returns a Spawner.
func New() *Spawner {
	watchers := group.New(context.Background(), nil)
	return &Spawner{watchers: watchers, pumps: newPumps(watchers)}
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
	p := &Process{name: spec.Name, invocation: newInvocation(), done: make(chan struct{})}
	if err := s.spawn(p, spec); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", spec.Name, err)
	}
	for _, o := range p.outputs {
		o.start()
	}
	s.watchers.Go(spec.Name, func(context.Context) { s.watch(p) })
	return p, nil
}

func (s *Spawner) spawn(p *Process, spec Spec) error {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	files := []syscall.Conn{null}
	for _, sink := range []Sink{spec.Stdout, spec.Stderr} {
		o, theirs, err := s.pumps.open(spec.Name, sink, &p.tail)
		if err != nil {
			return errors.Join(err, closeOutputs(p.outputs))
		}
		defer theirs.Close()
		files = append(files, theirs)
		p.outputs = append(p.outputs, o)
	}
	files = append(files, spec.Files...)
	if spec.Executable != nil {
		files = append(files, spec.Executable)
	}
	if err := inherit.Numbers(files, func(numbers []uintptr) error { return s.fork(p, spec, numbers) }); err != nil {
		return errors.Join(err, closeOutputs(p.outputs))
	}
	return nil
}

func closeOutputs(outputs []*output) error {
	var errs []error
	for _, o := range outputs {
		errs = append(errs, o.close())
	}
	return errors.Join(errs...)
}

// fork makes the process. numbers are its descriptors, followed by that of the
// executable if the Spec has one.
func (s *Spawner) fork(p *Process, spec Spec, numbers []uintptr) error {
	path := spec.Path
	if spec.Executable != nil {
		last := len(numbers) - 1
		number, err := outOfTheWay(numbers[last], numbers[:last])
		if err != nil {
			return err
		}
		defer unix.Close(number)
		numbers, path = numbers[:last], fmt.Sprintf("/proc/self/fd/%d", number)
	}
	number := -1
	attr := &syscall.ProcAttr{
		Dir:   spec.Dir,
		Env:   environment(spec.Env, p.invocation),
		Files: numbers,
		Sys:   &syscall.SysProcAttr{Setsid: true, PidFD: &number},
	}
	err := s.exec(p, path, spec.Args, attr)
	for try := 0; errors.Is(err, syscall.ETXTBSY) && try < busyTries; try++ {
		time.Sleep(busyPause)
		err = s.exec(p, path, spec.Args, attr)
	}
	if err != nil {
		return reasonOf(spec, err)
	}
	return nil
}

// An executable that was written a moment ago can seem to be still open for
// writing: a process that is just being forked elsewhere holds all descriptors
// until it runs its own program.
const (
	busyTries = 20
	busyPause = 5 * time.Millisecond
)

func (s *Spawner) exec(p *Process, path string, args []string, attr *syscall.ProcAttr) error {
	s.family.Lock()
	defer s.family.Unlock()
	pid, err := syscall.ForkExec(path, args, attr)
	if err != nil {
		return err
	}
	p.pid, p.started = pid, time.Now()
	if p.ref, err = newPidfd(*attr.Sys.PidFD); err != nil {
		return errors.Join(err, abandon(pid))
	}
	return nil
}

// outOfTheWay copies a descriptor to a number that the child does not reuse for
// something else before it runs the executable: it moves its descriptors about,
// up to twice their count above the highest.
func outOfTheWay(number uintptr, others []uintptr) (int, error) {
	highest := max(int(slices.Max(others)), len(others))
	copied, err := unix.FcntlInt(number, unix.F_DUPFD_CLOEXEC, highest+2*len(others)+2)
	return copied, os.NewSyscallError("fcntl", err)
}

func reasonOf(spec Spec, err error) error {
	what := spec.Path
	if spec.Executable != nil {
		what = spec.Executable.Name()
	}
	return &os.PathError{Op: "run", Path: what, Err: err}
}

// abandon gets rid of a process that cannot be watched.
func abandon(pid int) error {
	err := unix.Kill(-pid, unix.SIGKILL)
	_, waitErr := retry(func() (int, error) { return syscall.Wait4(pid, nil, 0, nil) })
	return errors.Join(err, waitErr)
}

// watch follows a process to its end.
func (s *Spawner) watch(p *Process) {
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
}
