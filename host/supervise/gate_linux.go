package supervise

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// gate holds a process back between its birth and its program.
//
// Nothing can be done from outside to a process that Go forks until it runs a
// program, and that one would be under way already. So it first runs a shell,
// which waits at a pipe until we have done what is to be done, and then becomes
// the program, under the same number. If we die meanwhile the pipe ends, and so
// does the shell.
//
// The limits are set from outside, by number, because the names and units of the
// shell's own ulimit differ from one to the next, and because ours can not be
// changed for a moment: they are those of all our threads.
type gate struct {
	umask string // a line of the shell's; may be empty
	ends  [2]int // of the pipe; the first is the child's standard input
}

const shell = "/bin/sh"

// shut makes the birth one of a shell.
func (b *birth) shut(executable int) error {
	if b.gate == nil {
		b.gate = &gate{}
	}
	program, stdin := b.spec.Path, ""
	if b.spec.Stdin != nil {
		stdin = fmt.Sprint(len(b.attr.Files))
		if len(stdin) > 1 {
			return errors.New("limits and a LISTEN_PID leave no room for a standard input beside more than 6 files")
		}
		b.attr.Files = append(b.attr.Files, b.attr.Files[0])
	}
	if executable >= 0 {
		program = fmt.Sprintf("/proc/self/fd/%d", len(b.attr.Files))
		b.attr.Files = append(b.attr.Files, uintptr(executable))
	} else if err := unix.Access(program, unix.X_OK); err != nil {
		// The shell could only tell by its exit code.
		return b.reasonOf(program, err)
	}
	if err := unix.Pipe2(b.gate.ends[:], unix.O_CLOEXEC); err != nil {
		return os.NewSyscallError("pipe2", err)
	}
	b.attr.Files[0] = uintptr(b.gate.ends[0])
	b.path = shell
	b.args = slices.Concat([]string{"sh", "-c", b.script(stdin), b.spec.Name, program}, b.spec.Args[1:])
	return nil
}

// script is what the shell does. stdin is the number of the descriptor that
// becomes the standard input; if it is empty, that is the null device.
func (b *birth) script(stdin string) string {
	lines := []string{"read -r DSERVER_GATE || exit 125", "unset DSERVER_GATE"}
	// The shell adds these to the environment of its own accord.
	for _, name := range []string{"PWD", "OLDPWD", "SHLVL", "_"} {
		if !slices.ContainsFunc(b.attr.Env, func(entry string) bool { return strings.HasPrefix(entry, name+"=") }) {
			lines = append(lines, "unset "+name)
		}
	}
	if stdin == "" {
		lines = append(lines, "exec <"+os.DevNull)
	} else {
		lines = append(lines, "exec <&"+stdin+" "+stdin+"<&-")
	}
	if b.gate.umask != "" {
		lines = append(lines, b.gate.umask)
	}
	if b.spec.ListenPid {
		lines = append(lines, "export LISTEN_PID=$$")
	}
	return strings.Join(append(lines, `exec "$@"`), "\n")
}

// equip does what is to be done to the process, and lets it go.
func (b *birth) equip(pid int) error {
	if adj := b.spec.OOMScoreAdj; adj != nil {
		if err := setOOMScoreAdj(pid, *adj); err != nil {
			return fmt.Errorf("cannot set oom_score_adj to %d: %w", *adj, err)
		}
	}
	err := b.limit(pid)
	if errors.Is(err, unix.EPERM) && b.attr.Sys.Credential != nil {
		// Whoever may become another user need not have the privilege to limit it;
		// it may limit itself.
		err = b.spawner.onThread(func() error {
			if err := b.spec.User.become(); err != nil {
				return err
			}
			return b.limit(pid)
		})
	}
	if err != nil {
		return err
	}
	_, err = unix.Write(b.gate.ends[1], []byte("\n"))
	return os.NewSyscallError("write", err)
}

func (b *birth) limit(pid int) error {
	for _, l := range b.spec.Rlimits {
		if err := unix.Prlimit(pid, l.Resource, &unix.Rlimit{Cur: l.Soft, Max: l.Hard}, nil); err != nil {
			return fmt.Errorf("cannot limit resource %d to %d and %d: %w", l.Resource, l.Soft, l.Hard, err)
		}
	}
	return nil
}

// setOOMScoreAdj is not os.WriteFile, which would create a file that has vanished.
func setOOMScoreAdj(pid, value int) error {
	f, err := os.OpenFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(f, value)
	return errors.Join(err, f.Close())
}

func (g *gate) close() {
	// There is nothing to lose in a pipe that is not used any more.
	_ = unix.Close(g.ends[0])
	_ = unix.Close(g.ends[1])
}
