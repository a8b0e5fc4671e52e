package rundir_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dserver/dserver/host/rundir"
)

// TestMain lets the test binary stand in for another instance.
func TestMain(m *testing.M) {
	switch os.Getenv("RUNDIR_CHILD") {
	case "hold":
		os.Exit(child(func(d rundir.Dir) (*rundir.Lock, error) { return d.Lock() }))
	case "adopt":
		os.Exit(child(func(d rundir.Dir) (*rundir.Lock, error) { return d.Adopt(os.NewFile(3, "lock")) }))
	}
	os.Exit(m.Run())
}

// child takes the lock, says so, and keeps it until its stdin ends.
func child(take func(rundir.Dir) (*rundir.Lock, error)) int {
	d, err := rundir.Root{Path: os.Args[1]}.Dir(os.Args[2])
	if err != nil {
		fmt.Println(err)
		return 1
	}
	l, err := take(d)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("held")
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := l.Close(); err != nil {
		return 1
	}
	return 0
}

type instance struct {
	*exec.Cmd
	stdin io.WriteCloser
}

// spawn runs a stand-in and waits until it has the lock.
func spawn(t *testing.T, d rundir.Dir, role string, lock *os.File) instance {
	t.Helper()
	c := exec.Command(os.Args[0], filepath.Dir(d.Path), d.Name)
	c.Env = append(os.Environ(), "RUNDIR_CHILD="+role)
	if lock != nil {
		c.ExtraFiles = []*os.File{lock}
	}
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	i := instance{c, in}
	t.Cleanup(func() { i.kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "held\n" {
		t.Fatalf("the child said %q, %v", line, err)
	}
	return i
}

// kill ends the stand-in as kill -9 does; a second time it does nothing.
func (i instance) kill() {
	_ = i.Process.Kill()
	_ = i.Wait()
}

func folder(t *testing.T) rundir.Dir {
	t.Helper()
	d, err := rundir.Root{Path: t.TempDir()}.Dir("shop")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mustLock(t *testing.T, d rundir.Dir) *rundir.Lock {
	t.Helper()
	l, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func wantRunning(t *testing.T, d rundir.Dir, pid int) {
	t.Helper()
	s, err := d.Peek()
	if err != nil || !s.Running || s.Pid != pid {
		t.Errorf("got %+v, %v; want running with pid %d", s, err, pid)
	}
}

func wantStopped(t *testing.T, d rundir.Dir) {
	t.Helper()
	s, err := d.Peek()
	if err != nil || s.Running || s.Pid != 0 {
		t.Errorf("got %+v, %v; want not running", s, err)
	}
}

func TestSecondInstanceIsRefusedWithThePidOfTheFirst(t *testing.T) {
	d := folder(t)
	wantStopped(t, d)
	first := spawn(t, d, "hold", nil)
	before := listing(t, d)
	_, err := d.Lock()
	var running *rundir.RunningError
	if !errors.As(err, &running) || running.Pid != first.Process.Pid || !strings.HasPrefix(running.Path, d.Path) {
		t.Fatalf("got %v", err)
	}
	if after := listing(t, d); after != before {
		t.Errorf("the refused start changed the folder from\n%s to\n%s", before, after)
	}
	wantRunning(t, d, first.Process.Pid)
}

// listing is the folder's content with what would tell that a file was touched.
func listing(t *testing.T, d rundir.Dir) string {
	t.Helper()
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, e.Name(), info.Size(), info.ModTime().UnixNano())
	}
	return b.String()
}

func TestFilesLeftByKillNineFoolNobody(t *testing.T) {
	d := folder(t)
	first := spawn(t, d, "hold", nil)
	first.kill()
	// The pid now belongs to a stranger: this very process.
	if err := os.WriteFile(filepath.Join(d.Path, "pid"), fmt.Appendln(nil, os.Getpid()), 0o600); err != nil {
		t.Fatal(err)
	}
	sock, err := d.Socket()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{sock, filepath.Join(d.Path, "state.json.123.tmp")} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wantStopped(t, d)
	l := mustLock(t, d)
	defer l.Close()
	wantRunning(t, d, os.Getpid())
	if _, err := os.Stat(filepath.Join(d.Path, "state.json.123.tmp")); !os.IsNotExist(err) {
		t.Errorf("what a killed writer left is still there: %v", err)
	}
}

func TestLockPassesToAnotherProcess(t *testing.T) {
	d := folder(t)
	l := mustLock(t, d)
	next := spawn(t, d, "adopt", l.File())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lock(); !errors.As(err, new(*rundir.RunningError)) {
		t.Fatalf("the lock was lost with its first holder: %v", err)
	}
	if err := d.WritePid(next.Process.Pid); err != nil {
		t.Fatal(err)
	}
	wantRunning(t, d, next.Process.Pid)
	if err := next.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := next.Wait(); err != nil {
		t.Fatal(err)
	}
	wantStopped(t, d)
}

func TestAdoptRefusesWhatIsNotTheLock(t *testing.T) {
	d := folder(t)
	l := mustLock(t, d)
	defer l.Close()
	stranger, err := os.Create(filepath.Join(t.TempDir(), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Adopt(stranger); err == nil {
		t.Error("it adopted another file")
	}
	unlocked, err := os.OpenFile(filepath.Join(d.Path, "lock"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Adopt(unlocked); err == nil {
		t.Error("it adopted a file that does not hold the lock")
	}
	wantRunning(t, d, os.Getpid())
}

func TestPeekingNeverPreventsAStart(t *testing.T) {
	d := folder(t)
	mustLock(t, d).Close() // there is a lock file to look at
	stop := make(chan struct{})
	var peekers sync.WaitGroup
	for range 8 {
		peekers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := d.Peek(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 200 {
		l, err := d.Lock()
		if err != nil {
			t.Error(err)
			break
		}
		l.Close()
	}
	close(stop)
	peekers.Wait()
}

// TestOneWinnerOfManyStarts has instances start and stop all the time; two that
// hold the lock at once would see each other.
func TestOneWinnerOfManyStarts(t *testing.T) {
	d := folder(t)
	var holder atomic.Bool
	var won atomic.Int32
	var starters sync.WaitGroup
	for range 8 {
		starters.Go(func() {
			for range 100 {
				l, err := d.Lock()
				if errors.As(err, new(*rundir.RunningError)) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if !holder.CompareAndSwap(false, true) {
					t.Error("two hold the lock at once")
				}
				won.Add(1)
				holder.Store(false)
				if err := l.Clean(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	starters.Wait()
	if won.Load() == 0 {
		t.Error("nobody ever got the lock")
	}
}

func TestRestoreMakesAVanishedFolderAgain(t *testing.T) {
	d := folder(t)
	l := mustLock(t, d)
	defer l.Close()
	if again, err := l.Restore(); again || err != nil {
		t.Fatalf("nothing had vanished, got %v, %v", again, err)
	}
	if err := os.RemoveAll(filepath.Dir(d.Path)); err != nil {
		t.Fatal(err)
	}
	wantStopped(t, d)
	if again, err := l.Restore(); !again || err != nil {
		t.Fatalf("got %v, %v", again, err)
	}
	wantRunning(t, d, os.Getpid())
}

func TestRestoreYieldsToAnInstanceThatTookThePlace(t *testing.T) {
	d := folder(t)
	l := mustLock(t, d)
	defer l.Close()
	if err := os.RemoveAll(d.Path); err != nil {
		t.Fatal(err)
	}
	other := spawn(t, d, "hold", nil)
	_, err := l.Restore()
	var running *rundir.RunningError
	if !errors.As(err, &running) || running.Pid != other.Process.Pid {
		t.Fatalf("got %v", err)
	}
	if err := l.Clean(); err != nil {
		t.Fatal(err)
	}
	wantRunning(t, d, other.Process.Pid)
}

func TestCleanRemovesOnlyOwnFiles(t *testing.T) {
	d := folder(t)
	l := mustLock(t, d)
	if err := d.WriteState(map[string]int{"a": 1}); err != nil {
		t.Fatal(err)
	}
	socket, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: filepath.Join(d.Path, "ctl.sock")})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	socket.SetUnlinkOnClose(false)
	for _, name := range []string{"math.sock", "notes"} {
		if err := os.WriteFile(filepath.Join(d.Path, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	outside := filepath.Join(filepath.Dir(d.Path), "outside")
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.Clean("math.sock", "never-made", "../outside"); err == nil || !strings.Contains(err.Error(), "../outside") {
		t.Errorf("got %v", err)
	}
	entries, err := os.ReadDir(d.Path)
	if err != nil || len(entries) != 1 || entries[0].Name() != "notes" {
		t.Errorf("got %v, %v; want notes alone", entries, err)
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(d.Path, "notes")); err != nil {
		t.Fatal(err)
	}
	if err := mustLock(t, d).Clean(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(d.Path); !os.IsNotExist(err) {
		t.Errorf("an empty folder stays: %v", err)
	}
}

func TestCleanLeavesWhatIsNoSocket(t *testing.T) {
	d := folder(t)
	l := mustLock(t, d)
	path := filepath.Join(d.Path, "ctl.sock")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.Clean(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("somebody else's file was removed: %v", err)
	}
}
