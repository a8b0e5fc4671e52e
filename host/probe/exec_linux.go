package probe

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/proc"
)

// outputGrace is how long output is waited for when the command has ended and
// somebody else holds its pipe.
const outputGrace = 100 * time.Millisecond

// Run implements [Runner].
func (OwnSession) Run(ctx context.Context, c Command) ([]byte, error) {
	var output tail
	cmd := &exec.Cmd{
		Path: c.Path, Args: c.Args, Env: c.Env, Dir: c.Dir,
		Stdout: &output, Stderr: &output, WaitDelay: outputGrace,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if cmd.Env == nil {
		cmd.Env = []string{} // nil would be our own
	}
	if err := cmd.Start(); err != nil {
		if path, ok := errors.AsType[*os.PathError](err); ok {
			err = path.Err
		}
		return nil, err
	}
	pid := cmd.Process.Pid
	killed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(killed)
		killTree(pid)
	})
	// It stays unreaped until what it left is killed: so long nobody else gets its
	// number, nor that of its group.
	awaitEnd(pid)
	if !stop() {
		<-killed
	}
	_ = unix.Kill(-pid, unix.SIGKILL)
	err := cmd.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	return output.Bytes(), err
}

func awaitEnd(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// treeRounds bounds how often descendants are looked for.
const treeRounds = 100

// killTree kills a process of ours, its group and its descendants. They are
// stopped first, from the top: the children of one that is killed could not be
// told from others any more.
func killTree(pid int) {
	_ = unix.Kill(-pid, unix.SIGSTOP)
	held := make(map[int]int) // pid to descriptor
	for range treeRounds {
		if !holdDescendants(pid, held) {
			break
		}
	}
	for _, fd := range held {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		_ = unix.Close(fd)
	}
	_ = unix.Kill(-pid, unix.SIGKILL)
}

// holdDescendants stops the descendants of a process that are not held yet, and
// tells whether there were any.
func holdDescendants(pid int, held map[int]int) bool {
	found := false
	for _, child := range proc.Children(pid) {
		if _, known := held[child]; !known {
			fd, err := unix.PidfdOpen(child, 0)
			if err != nil {
				continue
			}
			// It may be somebody else's by now.
			if proc.Parent(child) != pid {
				_ = unix.Close(fd)
				continue
			}
			_ = unix.PidfdSendSignal(fd, unix.SIGSTOP, nil, 0)
			held[child], found = fd, true
		}
		found = holdDescendants(child, held) || found
	}
	return found
}

// tail keeps the end of what is written to it.
type tail struct{ bytes.Buffer }

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.Buffer.Write(p[max(0, len(p)-maxOutput):])
	t.Next(max(0, t.Len()-maxOutput))
	return len(p), nil
}
