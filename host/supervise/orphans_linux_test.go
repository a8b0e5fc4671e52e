package supervise

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/proc"
)

// subreap makes us the parent of orphans until the end of the test.
func subreap(t *testing.T) {
	t.Helper()
	if err := Subreap(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0); err != nil {
			t.Error(err)
		}
	})
}

// zombie gives a dead child of ours that a shell command has left behind and has
// printed the number of.
func zombie(t *testing.T, command string) int {
	t.Helper()
	c := exec.Command("/bin/sh", "-c", command)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	// It holds the pipe, so Wait would do as well, but for the order.
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	awaitState(t, pid, true)
	return pid
}

// awaitState waits until a child of ours has exited, or until it has been reaped.
func awaitState(t *testing.T, pid int, exited bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		stat, err := proc.ReadStat(pid)
		if exited && err == nil && stat.Gone() && stat.Parent == os.Getpid() || !exited && err != nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d: %+v, %v", pid, stat, err)
		}
	}
}

func isZombie(pid int) bool {
	stat, err := proc.ReadStat(pid)
	return err == nil && stat.Gone()
}

func TestOrphansAreReapedAtOnceOrWithPatience(t *testing.T) {
	subreap(t)
	certain := zombie(t, "sh -c 'echo $$; exec true' & exit")
	// It leads a session, as a child of somebody in this process could.
	doubtful := zombie(t, "setsid sh -c 'echo $$; exec true' & exit")
	o := orphanage{spawner: New(Options{}), crowd: 100, dead: make(map[int]orphan)}
	now := time.Now()
	o.look(now)
	if isZombie(certain) {
		t.Error("who is an orphan for certain has not been reaped")
	}
	if !isZombie(doubtful) || o.pause != orphanPatience {
		t.Errorf("the other one has been reaped; the next look is in %v", o.pause)
	}
	o.look(now.Add(orphanPatience - time.Second))
	if !isZombie(doubtful) || o.pause != time.Second {
		t.Errorf("after 9 seconds; the next look is in %v", o.pause)
	}
	o.look(now.Add(orphanPatience))
	if isZombie(doubtful) || o.pause != 0 {
		t.Errorf("after 10 seconds; the next look is in %v", o.pause)
	}
}

// A former zombie's time does not count for a later one with its number.
func TestPatienceIsForOneProcess(t *testing.T) {
	subreap(t)
	pid := zombie(t, "setsid sh -c 'echo $$; exec true' & exit")
	now := time.Now()
	o := orphanage{spawner: New(Options{}), crowd: 100, dead: map[int]orphan{pid: {ticks: 1, since: now.Add(-time.Hour)}}}
	o.look(now)
	if !isZombie(pid) {
		t.Error("it has been reaped")
	}
	o.look(now.Add(orphanPatience))
}

func TestCrowdOfOrphansIsNotWaitedFor(t *testing.T) {
	subreap(t)
	one := zombie(t, "setsid sh -c 'echo $$; exec true' & exit")
	two := zombie(t, "setsid sh -c 'echo $$; exec true' & exit")
	o := orphanage{spawner: New(Options{}), crowd: 1, dead: make(map[int]orphan)}
	now := time.Now()
	o.look(now)
	if !isZombie(one) || !isZombie(two) || o.pause != orphanPause {
		t.Errorf("reaped at once; the next look is in %v", o.pause)
	}
	o.look(now.Add(o.pause))
	if isZombie(one) || isZombie(two) || o.pause != 0 {
		t.Errorf("still there; the next look is in %v", o.pause)
	}
}

// While a master hands over, nobody is reaped.
func TestNobodyIsReapedWhileTheFamilyIsAtRest(t *testing.T) {
	subreap(t)
	s := New(Options{})
	s.family.Lock()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		s.ReapOrphans(ctx)
		close(ended)
	}()
	pid := zombie(t, "sh -c 'echo $$; exec true' & exit")
	select {
	case <-ended:
	case <-time.After(orphanPause * 3 / 2):
	}
	if !isZombie(pid) {
		t.Error("it has been reaped")
	}
	s.family.Unlock()
	awaitState(t, pid, false)
	cancel()
	<-ended
}

// Who waits for a child of its own gets its exit status.
func TestReaperTakesNoChildOfOthers(t *testing.T) {
	subreap(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		New(Options{}).ReapOrphans(ctx)
		close(ended)
	}()
	deadline := time.Now().Add(3 * orphanPause)
	for i := 0; time.Now().Before(deadline); i++ {
		c := exec.Command("/bin/sh", "-c", "true & exit 7")
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: i%2 == 0}
		if err := c.Run(); c.ProcessState.ExitCode() != 7 {
			t.Fatalf("run %d: %v", i, err)
		}
	}
	cancel()
	<-ended
	// Those that died last have not been reaped.
	for {
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != nil || pid == 0 {
			return
		}
	}
}
