package conformance

import (
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/hosttest"
)

// terminal is a window in which somebody has typed a verb.
type terminal struct {
	*process
	window *os.File // the master's side: what is written here is typed
	once   sync.Once
}

// inTerminal runs a program in a terminal of its own.
func inTerminal(t *testing.T, in *hosttest.Instance, program string, args ...string) *terminal {
	t.Helper()
	window, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	w := &terminal{window: window, process: &process{t: t, ended: make(chan struct{})}}
	// Registered first, so that it comes after the end of the process.
	t.Cleanup(func() { w.close() })
	tty := openTTY(t, window)
	defer tty.Close()
	w.cmd = exec.Command(program, append(args, global(in)...)...)
	w.cmd.Dir = in.Folder
	w.cmd.Env = append(os.Environ(), instanceMark+"="+in.Folder, "TERM=xterm")
	w.cmd.Stdin, w.cmd.Stdout, w.cmd.Stderr = tty, tty, tty
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	w.start()
	stopAtTheEnd(t, in)
	go func() { _, _ = io.Copy(&w.out, window) }() // ends when the window closes
	return w
}

func openTTY(t *testing.T, window *os.File) *os.File {
	t.Helper()
	conn, err := window.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	number := 0
	var failed error
	err = conn.Control(func(fd uintptr) {
		unlock := int32(0)
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, unix.TIOCSPTLCK, uintptr(unsafe.Pointer(&unlock))); errno != 0 {
			failed = errno
			return
		}
		number, failed = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
	})
	if err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	tty, err := os.OpenFile("/dev/pts/"+itoa(number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return tty
}

// close shuts the window: everybody in it gets a hangup.
func (w *terminal) close() { w.once.Do(func() { w.window.Close() }) }

func (w *terminal) press(keys string) {
	w.t.Helper()
	if _, err := io.WriteString(w.window, keys); err != nil {
		w.t.Fatal(err)
	}
}

// TestStartInATerminal: colours, a reload under the same command, Ctrl-C to stop.
func TestStartInATerminal(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		w := inTerminal(t, in, in.Binary, "start")
		w.says("is \x1b[32mready\x1b[0m after")
		for i := range 3 {
			in.MustReload(hosttest.Build{Label: "build" + itoa(i)})
		}
		if w.hasEnded() {
			t.Fatalf("the command ended with a reload:\n%s", w.out.String())
		}
		request := hold(t, in)
		w.press("\x03")
		if within(300*time.Millisecond, w.hasEnded) {
			t.Error("it did not wait for the request")
		}
		request.release()
		if code := w.wait(); code != 0 {
			t.Errorf("exit code %d:\n%s", code, w.out.String())
		}
		in.AssertGone()
	})
}

// TestCtrlCTwice: the second one cuts.
func TestCtrlCTwice(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(hosttest.Settings{StopTimeout: time.Minute})
		w := inTerminal(t, in, in.Binary, "start")
		w.says("ready")
		request := hold(t, in)
		w.press("\x03")
		w.says("stopping")
		w.press("\x03")
		request.cut()
		if code := w.wait(); code != 0 {
			t.Errorf("exit code %d:\n%s", code, w.out.String())
		}
		in.AssertGone()
	})
}

// TestClosedTerminalStops: a hangup from a terminal is no order to reload.
func TestClosedTerminalStops(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		w := inTerminal(t, in, in.Binary, "start")
		w.says("ready")
		in.MustReload(hosttest.Build{Label: "second"})
		w.close()
		w.wait()
		waitFor(t, "the instance to end", func() bool { return !in.Running() })
		in.AssertGone()
	})
}

// TestNohupOutlivesTheTerminal: who ignores hangups does so for good.
func TestNohupOutlivesTheTerminal(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		w := inTerminal(t, in, "nohup", in.Binary, "start")
		waitFor(t, "the start", func() bool {
			info, err := in.Client.Info(t.Context())
			return err == nil && info.State == "running"
		})
		before := in.Info()
		w.close()
		// Whatever a hangup did, it would have begun by the time these are through.
		for range 20 {
			if _, err := get(t.Context(), in.Addr("web", "tcp"), "/"); err != nil {
				t.Fatal(err)
			}
		}
		if info := in.Info(); info.Pid != before.Pid || info.State != "running" || info.Reloads.Done != 0 {
			t.Errorf("it was %+v and is %+v", before, info)
		}
		in.Stop()
		w.wait()
	})
}

// TestLauncherPassesOn: in single mode a launcher stays in the terminal. It passes
// signals on to whichever process is the master, and the exit code back.
func TestLauncherPassesOn(t *testing.T) {
	in := hosttest.New(t, "single")
	w := inTerminal(t, in, in.Binary, "start")
	w.says("ready")
	if pid := in.Info().Pid; pid == w.cmd.Process.Pid {
		t.Fatal("there is no launcher")
	}
	w.signal(syscall.SIGUSR2)
	waitFor(t, "the reload", func() bool { info, err := in.Client.Info(t.Context()); return err == nil && info.Reloads.Done == 1 })
	in.MustReload(hosttest.Build{Label: "second"})
	w.signal(syscall.SIGTERM)
	if code := w.wait(); code != 0 {
		t.Errorf("exit code %d after a stop", code)
	}
	in.AssertGone()

	in.Configure(hosttest.Settings{Fault: "error"})
	failing := inTerminal(t, in, in.Binary, "start")
	if code := failing.wait(); code != 1 {
		t.Errorf("exit code %d after a start that failed:\n%s", code, failing.out.String())
	}
	in.Configure(hosttest.Settings{Fault: "slow-ready", After: time.Minute})
	late := inTerminal(t, in, in.Binary, "start", "--timeout", "200ms")
	if code := late.wait(); code != 4 {
		t.Errorf("exit code %d after a start that took too long:\n%s", code, late.out.String())
	}
	in.AssertGone()
}

// TestKilledBelowTheLauncher: it ends with the master, and says how that ended.
func TestKilledBelowTheLauncher(t *testing.T) {
	in := hosttest.New(t, "single")
	w := inTerminal(t, in, in.Binary, "start")
	w.says("ready")
	former := in.Info().Pid
	in.MustReload(hosttest.Build{Label: "second"})
	waitFor(t, "the former process to end", func() bool { return !alive(former) })
	kill(t, in.Info().Pid, syscall.SIGKILL)
	if code := w.wait(); code != 128+int(syscall.SIGKILL) {
		t.Errorf("exit code %d", code)
	}
	in.Start()
	in.Stop()
}

// TestKilledLauncher: the master goes on without it, and can be reloaded and
// stopped as ever.
func TestKilledLauncher(t *testing.T) {
	in := hosttest.New(t, "single")
	w := inTerminal(t, in, in.Binary, "start")
	w.says("ready")
	w.signal(syscall.SIGKILL)
	w.wait()
	if _, err := get(t.Context(), in.Addr("web", "tcp"), "/"); err != nil {
		t.Error(err)
	}
	in.MustReload(hosttest.Build{Label: "second"})
	in.Stop()
	in.AssertGone()
}

// TestVerbsInATerminal: tables are coloured for a person, and for nobody else.
func TestVerbsInATerminal(t *testing.T) {
	in := hosttest.New(t, "multi")
	in.Start()
	colour := regexp.MustCompile(`\x1b\[[0-9;]*m`)
	for _, verb := range []string{"status", "inspect", "check", "version"} {
		piped := in.Run(verb)
		if colour.MatchString(piped.Stdout) {
			t.Errorf("%s is coloured in a pipe:\n%q", verb, piped.Stdout)
		}
		w := inTerminal(t, in, in.Binary, verb)
		if code := w.wait(); code != 0 {
			t.Errorf("%s: exit code %d", verb, code)
		}
		waitFor(t, "all of its output", func() bool { return strings.Count(w.out.String(), "\n") >= strings.Count(piped.Stdout, "\n") })
		if !colour.MatchString(w.out.String()) {
			t.Errorf("%s has no colours in a terminal:\n%q", verb, w.out.String())
		}
	}
}
