package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// Gone returns nil once nothing lives in the group; processes that have exited
// and were not reaped do not count. It waits for the kernel to tell, until ctx
// ends.
func (g *Group) Gone(ctx context.Context) error {
	if len(g.list()) == 0 {
		return nil
	}
	empty, err := g.empty()
	if !empty && err == nil {
		err = g.awaitEmpty(ctx)
	}
	if err != nil {
		return fmt.Errorf("cannot wait for the control group %s to be empty: %w", g.name, err)
	}
	return nil
}

// Empty tells whether nothing lives in the group. It is cheap.
func (g *Group) Empty() (bool, error) {
	if len(g.list()) == 0 {
		return true, nil
	}
	empty, err := g.empty()
	if err != nil {
		return false, fmt.Errorf("cannot look into the control group %s: %w", g.name, err)
	}
	return empty, nil
}

func (g *Group) empty() (bool, error) {
	p := g.tracker()
	if !p.unified {
		pids, err := pidsBelow(p.dir)
		return len(pids) == 0, err
	}
	populated, err := readField(path.Join(p.dir, "cgroup.events"), "populated")
	if missing(err) {
		return true, nil
	}
	return populated == 0, err
}

func (g *Group) awaitEmpty(ctx context.Context) error {
	if p := g.tracker(); p.unified {
		return awaitFile(ctx, path.Join(p.dir, "cgroup.events"), g.empty)
	}
	for {
		pids, err := g.Pids()
		if err != nil || len(pids) == 0 {
			return err
		}
		if err := awaitExit(ctx, pids[0]); err != nil {
			return err
		}
	}
}

// awaitExit waits until the process that has this number now has exited.
func awaitExit(ctx context.Context, pid int) error {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err == unix.ESRCH || err == unix.EINVAL {
		return nil
	}
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	return await(ctx, os.NewFile(uintptr(fd), "pidfd"), func() (bool, error) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := retry(func() (int, error) { return unix.Poll(fds, 0) })
		return n > 0, err
	})
}

// awaitFile waits until done, which is asked whenever the kernel says that the
// named file has changed. A file that vanishes counts as a change.
func awaitFile(ctx context.Context, name string, done func() (bool, error)) error {
	fd, err := open(name, unix.O_RDONLY|unix.O_NONBLOCK)
	if missing(err) {
		_, err := done()
		return err
	}
	if err != nil {
		return err
	}
	return await(ctx, os.NewFile(uintptr(fd), name), done)
}

// await waits until done, which is asked whenever the poller has something to
// say of f. It closes f.
func await(ctx context.Context, f *os.File, done func() (bool, error)) error {
	defer f.Close()
	raw, err := f.SyscallConn()
	if err == nil {
		// Only a file in the poller has deadlines, and only such a one can be waited for.
		err = f.SetReadDeadline(time.Time{})
	}
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var doneErr error
	err = raw.Read(func(uintptr) bool {
		var yes bool
		yes, doneErr = done()
		return yes || doneErr != nil
	})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return context.Cause(ctx)
	}
	return errors.Join(doneErr, err)
}
