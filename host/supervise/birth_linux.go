package supervise

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/inherit"
)

// birth is a process on its way from a Spec to its program.
type birth struct {
	spawner *Spawner
	process *Process
	spec    Spec
	path    string // what is run first: the program, or the shell that becomes it
	args    []string
	attr    *syscall.ProcAttr
	gate    *gate // nil if nothing has to be done between the two
}

// closedNumber stands for a descriptor that the child does not have.
const closedNumber = ^uintptr(0)

// spawn makes the process p with all that it gets from us.
func (s *Spawner) spawn(p *Process, spec Spec) error {
	stdin := spec.Stdin
	if stdin == nil {
		// Package os would try to make a place in the poller for it.
		null, err := retry(func() (int, error) { return unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
		if err != nil {
			return &os.PathError{Op: "open", Path: os.DevNull, Err: err}
		}
		defer unix.Close(null)
		stdin = descriptor(null)
	}
	list := []syscall.Conn{stdin}
	for _, sink := range []Sink{spec.Stdout, spec.Stderr} {
		o, theirs, err := s.pumps.open(spec.Name, sink, &p.tail)
		if err != nil {
			return errors.Join(err, closeOutputs(p.outputs))
		}
		defer theirs.Close()
		list = append(list, theirs)
		p.outputs = append(p.outputs, o)
	}
	if err := s.bear(p, spec, append(list, spec.Files...)); err != nil {
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

// bear makes the process with the descriptors of list, in which nil is a number
// that stays closed.
func (s *Spawner) bear(p *Process, spec Spec, list []syscall.Conn) error {
	open := make([]syscall.Conn, 0, len(list)+2)
	for _, c := range list {
		if c != nil {
			open = append(open, c)
		}
	}
	inner := len(open)
	if spec.Executable != nil {
		open = append(open, spec.Executable)
	}
	dir, err := spec.Group.Directory()
	if err != nil {
		return err
	}
	if dir != nil {
		defer dir.Close()
		open = append(open, dir)
	}
	return inherit.Numbers(open, func(numbers []uintptr) error {
		b := &birth{spawner: s, process: p, spec: spec, path: spec.Path, args: spec.Args}
		b.attr = &syscall.ProcAttr{
			Dir: spec.Dir, Env: environment(spec.Env, p.invocation), Files: make([]uintptr, 0, len(list)),
			Sys: &syscall.SysProcAttr{Setsid: true, PidFD: new(int), Credential: spec.User.credential()},
		}
		rest := numbers[inner:]
		for _, c := range list {
			if c == nil {
				b.attr.Files = append(b.attr.Files, closedNumber)
				continue
			}
			b.attr.Files, numbers = append(b.attr.Files, numbers[0]), numbers[1:]
		}
		executable := -1
		if spec.Executable != nil {
			executable, rest = int(rest[0]), rest[1:]
		}
		if len(rest) > 0 {
			b.attr.Sys.UseCgroupFD, b.attr.Sys.CgroupFD = true, int(rest[0])
		}
		return b.begin(executable)
	})
}

// begin brings the birth about. executable is the descriptor of the program, or
// less than 0.
func (b *birth) begin(executable int) error {
	run := func() error { return b.labour(executable) }
	if !b.spec.marked() {
		return run()
	}
	return b.spawner.onThread(func() error {
		if err := b.mark(); err != nil {
			return err
		}
		return run()
	})
}

func (b *birth) labour(executable int) error {
	if b.spec.gated() || b.gate != nil {
		if err := b.shut(executable); err != nil {
			return err
		}
		defer b.gate.close()
	} else if executable >= 0 {
		number, err := outOfTheWay(executable, b.attr.Files)
		if err != nil {
			return err
		}
		defer unix.Close(number)
		b.path = fmt.Sprintf("/proc/self/fd/%d", number)
	}
	err := b.deliver()
	for try := 0; errors.Is(err, syscall.ETXTBSY) && try < busyTries; try++ {
		time.Sleep(busyPause)
		err = b.deliver()
	}
	return err
}

// An executable that was written a moment ago can seem to be still open for
// writing: a process that is just being forked elsewhere holds all descriptors
// until it runs its own program.
const (
	busyTries = 20
	busyPause = 5 * time.Millisecond
)

func (b *birth) deliver() error {
	b.spawner.family.Lock()
	defer b.spawner.family.Unlock()
	if b.attr.Sys.Credential != nil {
		defer keepDumpable()()
	}
	pid, err := syscall.ForkExec(b.path, b.args, b.attr)
	if err != nil {
		return b.reason(err)
	}
	p := b.process
	p.pid, p.started, p.ref = pid, time.Now(), pidfd(*b.attr.Sys.PidFD)
	if p.ref < 0 {
		return errors.Join(fmt.Errorf("the system has no descriptors for processes: %w", errors.ErrUnsupported), abandon(pid))
	}
	if b.gate != nil {
		err = b.equip(pid)
	}
	if err == nil {
		err = b.spawner.welcome(p)
	}
	if err != nil {
		return errors.Join(err, abandon(pid), p.ref.close())
	}
	return nil
}

func (b *birth) reason(err error) error {
	if b.gate == nil && b.spec.Executable != nil {
		return b.reasonOf(b.spec.Executable.Name(), err)
	}
	return b.reasonOf(b.path, err)
}

// reasonOf says why what cannot be run.
func (b *birth) reasonOf(what string, err error) error {
	if b.attr.Sys.Credential != nil && errors.Is(err, syscall.EPERM) {
		err = fmt.Errorf("as user %d, group %d: %w", b.spec.User.UID, b.spec.User.GID, err)
	}
	return &os.PathError{Op: "run", Path: what, Err: err}
}

// outOfTheWay copies a descriptor to a number that the child does not reuse for
// something else before it runs the executable: it moves its descriptors about,
// up to twice their count above the highest.
func outOfTheWay(number int, others []uintptr) (int, error) {
	highest := len(others)
	for _, other := range others {
		if other != closedNumber {
			highest = max(highest, int(other))
		}
	}
	copied, err := unix.FcntlInt(uintptr(number), unix.F_DUPFD_CLOEXEC, highest+2*len(others)+2)
	return copied, os.NewSyscallError("fcntl", err)
}

// abandon gets rid of a process that cannot be watched.
func abandon(pid int) error {
	err := unix.Kill(-pid, unix.SIGKILL)
	_, waitErr := retry(func() (int, error) { return syscall.Wait4(pid, nil, 0, nil) })
	return errors.Join(err, waitErr)
}

// credential is what the system needs to be told; nil if u is who we are.
func (u *User) credential() *syscall.Credential {
	if u == nil || u.isUs() {
		return nil
	}
	c := &syscall.Credential{Uid: uint32(u.UID), Gid: uint32(u.GID)}
	for _, id := range u.Groups {
		c.Groups = append(c.Groups, uint32(id))
	}
	return c
}

func (u *User) isUs() bool {
	ours, err := os.Getgroups()
	return err == nil && u.UID == os.Geteuid() && u.GID == os.Getegid() &&
		slices.Equal(besides(u.GID, ours), besides(u.GID, u.Groups))
}

// besides gives the groups that are not the main one, sorted, each once.
func besides(main int, groups []int) []int {
	rest := slices.DeleteFunc(slices.Clone(groups), func(id int) bool { return id == main })
	slices.Sort(rest)
	return slices.Compact(rest)
}
