package probe_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/probe"
	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/internal/standin"
)

// hub gives a Hub that serves until the test has ended.
func hub(t testing.TB) *probe.Hub {
	t.Helper()
	h, err := probe.ListenHub(t.Context(), filepath.Join(t.TempDir(), "n"))
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- h.Serve() }()
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return h
}

func limit(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// inbox collects the notices of one source.
type inbox struct {
	mu  sync.Mutex
	all []probe.Notice
}

func (i *inbox) handle(n probe.Notice) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.all = append(i.all, n)
}

// list gives what has come, once all that was sent has.
func (i *inbox) list(t testing.TB, h *probe.Hub) []probe.Notice {
	t.Helper()
	if err := h.Drain(limit(t)); err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.all)
}

func watch(t testing.TB, h *probe.Hub, s probe.Source) (*inbox, *probe.Member) {
	box := &inbox{}
	s.Handle = box.handle
	m := h.Add(s)
	t.Cleanup(m.Remove)
	return box, m
}

func TestNoticeIsUnderstood(t *testing.T) {
	h := hub(t)
	p := launchSelf(t, h.Path(), "say",
		"READY=1|STATUS=serving \x1b[31m7\xff clients|WATCHDOG_USEC=5000000|X_OTHER=anything|FDSTORE=1",
		"RELOADING=1|MONOTONIC_USEC=123", "WATCHDOG=1", "WATCHDOG=trigger", "STOPPING=1|ERRNO=2|STATUS=",
		"EXTEND_TIMEOUT_USEC=99999999999999999|READY=0|MAINPID=x|ERRNO=0|WATCHDOG_USEC=-1|WATCHDOG=2",
		"STATUS="+strings.Repeat("ä", 1000),
	)
	p.line(t)
	box, _ := watch(t, h, probe.Source{Pid: p.Process.Pid})
	pid := p.Process.Pid
	want := []probe.Notice{
		{Pid: pid, Ready: true, Status: "serving  [31m7  clients", HasStatus: true, Watchdog: 5 * time.Second},
		{Pid: pid, Reloading: true},
		{Pid: pid, Alive: true},
		{Pid: pid, Sick: true},
		{Pid: pid, Stopping: true, Errno: 2, HasStatus: true},
		{Pid: pid, Extend: 365 * 24 * time.Hour, Wrong: []string{
			"cannot understand READY=0: the value must be 1",
			"cannot understand MAINPID=x: the value must be a number from 1 to 2147483647",
			"cannot understand ERRNO=0: the value must be a number from 1 to 2147483647",
			"cannot understand WATCHDOG_USEC=-1: the value must be a number of microseconds",
			"cannot understand WATCHDOG=2: the value must be 1",
		}},
		{Pid: pid, Status: strings.Repeat("ä", 512) + "...", HasStatus: true},
	}
	got := box.list(t, h)
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("notice %d: got\n%+v\nwant\n%+v", i, got, want)
		}
	}
}

func TestSenderIsKnownByItsFamily(t *testing.T) {
	h := hub(t)
	for _, depth := range []string{"0", "1", "3"} {
		p := launchSelf(t, h.Path(), "nested", depth, "STATUS=from below")
		box, _ := watch(t, h, probe.Source{Pid: p.Process.Pid})
		p.line(t)
		got := box.list(t, h)
		if len(got) != 1 || got[0].Status != "from below" || (got[0].Pid == p.Process.Pid) != (depth == "0") {
			t.Errorf("%s below: got %+v", depth, got)
		}
	}
	if n := h.Strangers(); n != 0 {
		t.Errorf("%d are called strangers", n)
	}
}

// daemon is a script that tells by a process whose parents are gone and whose
// session is new, and then waits for the end of its input.
const daemon = `exec 3>&1 4<&0; setsid sh -c 'setsid "$0" STATUS=alone <&4 >&3 &' "$0"; read end`

func daemonize() *exec.Cmd {
	c := exec.Command("/bin/sh", "-c", daemon, os.Args[0])
	c.Env = standin.Environ("say")
	return c
}

func TestSenderIsKnownByItsInvocation(t *testing.T) {
	h := hub(t)
	for _, c := range []struct {
		id, own string
		want    int
	}{{"0123456789abcdef", "0123456789abcdef", 1}, {"0123456789abcdef", "fedcba9876543210", 0}, {"", "", 0}} {
		cmd := daemonize()
		p := launch(t, h.Path(), cmd, "INVOCATION_ID="+c.id)
		box, _ := watch(t, h, probe.Source{Pid: p.Process.Pid, Invocation: c.own})
		if got := p.line(t); got != "said" {
			t.Fatalf("it said %q", got)
		}
		if got := box.list(t, h); len(got) != c.want {
			t.Errorf("%q for %q: got %+v", c.id, c.own, got)
		}
	}
}

// cgroup makes a control group of version 2, and gives its folder and an open
// descriptor of it.
func cgroup(t *testing.T) (string, int) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if !strings.Contains(line, " - cgroup2 ") {
			continue
		}
		dir, err := os.MkdirTemp(strings.Fields(line)[4], "probe-test-")
		if err != nil {
			t.Skip("no control group can be made: ", err)
		}
		t.Cleanup(func() {
			os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0)
			for range 1000 {
				if err = unix.Rmdir(dir); err != unix.EBUSY {
					break
				}
				time.Sleep(time.Millisecond)
			}
			if err != nil {
				t.Error(err)
			}
		})
		fd, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return dir, fd
	}
	t.Skip("there are no control groups of version 2")
	return "", -1
}

func TestSenderIsKnownByItsGroup(t *testing.T) {
	h := hub(t)
	for _, grouped := range []bool{true, false} {
		_, fd := cgroup(t)
		cmd := daemonize()
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, UseCgroupFD: true, CgroupFD: fd}
		p := launch(t, h.Path(), cmd)
		box, _ := watch(t, h, probe.Source{Pid: p.Process.Pid, Grouped: grouped})
		p.line(t)
		if got := box.list(t, h); (len(got) == 1) != grouped {
			t.Errorf("grouped %v: got %+v", grouped, got)
		}
	}
	// Who has no group of his own has nobody else's.
	p := launchSelf(t, h.Path(), "say")
	box, _ := watch(t, h, probe.Source{Pid: p.Process.Pid, Grouped: true})
	other := launchSelf(t, h.Path(), "say", "READY=1")
	other.line(t)
	if got := box.list(t, h); len(got) != 0 {
		t.Errorf("a stranger's came: %+v", got)
	}
}

func TestStrangersAreCountedAndDropped(t *testing.T) {
	h := hub(t)
	p := launchSelf(t, h.Path(), "say")
	box, m := watch(t, h, probe.Source{Pid: p.Process.Pid})
	// This process is no program, and it is not told apart by what it says.
	for range 300 {
		if err := inherit.Notify(t.Context(), h.Path(), "READY=1", fmt.Sprintf("MAINPID=%d", p.Process.Pid)); err != nil {
			t.Fatal(err)
		}
	}
	if got := box.list(t, h); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
	if n := h.Strangers(); n < 300-256 {
		t.Errorf("%d strangers, want at least 44", n)
	}
	m.Remove()
	m.Remove()
	q := launchSelf(t, h.Path(), "say", "READY=1")
	q.line(t)
	if got := box.list(t, h); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestNoticeMayComeBeforeItsSourceIsKnown(t *testing.T) {
	h := hub(t)
	p := launchSelf(t, h.Path(), "nested", "1", "STATUS=first", "READY=1")
	p.line(t)
	if err := h.Drain(limit(t)); err != nil {
		t.Fatal(err)
	}
	box, _ := watch(t, h, probe.Source{Pid: p.Process.Pid})
	if got := box.list(t, h); len(got) != 2 || got[0].Status != "first" || !got[1].Ready {
		t.Errorf("got %+v", got)
	}
	if n := h.Strangers(); n != 0 {
		t.Errorf("%d strangers", n)
	}
}

func TestMainProcessIsBelievedOfTheSameProgramOnly(t *testing.T) {
	h := hub(t)
	other := launchSelf(t, h.Path(), "say")
	for pid, believed := range map[int]bool{1: false, os.Getpid(): false, other.Process.Pid: false, 0: true} {
		c := exec.Command("/bin/sh", "-c", `
			exec 4<&0
			target=$2
			if [ $target = 0 ]; then sleep 1000 & target=$!; fi
			"$1" MAINPID=$target STATUS=$target <&4 &
			wait $!
			[ "$2" = 0 ] && kill $target`, "sh", os.Args[0], strconv.Itoa(pid))
		c.Env = standin.Environ("say")
		p := launch(t, h.Path(), c)
		box, _ := watch(t, h, probe.Source{Pid: p.Process.Pid})
		p.line(t)
		got := box.list(t, h)
		if len(got) != 2 {
			t.Fatalf("got %+v", got)
		}
		if n := got[0]; believed && (strconv.Itoa(n.MainPid) != got[1].Status || len(n.Wrong) > 0) || !believed && (n.MainPid != 0 || len(n.Wrong) != 1) {
			t.Errorf("%d: got %+v", pid, n)
		}
	}
}

func TestNamedMainProcessSpeaksAsWell(t *testing.T) {
	h := hub(t)
	p := launchSelf(t, h.Path(), "successor")
	box, _ := watch(t, h, probe.Source{Pid: p.Process.Pid})
	if got := p.line(t); got != "named" {
		t.Fatalf("it said %q", got)
	}
	got := box.list(t, h)
	if len(got) != 1 || got[0].MainPid == 0 {
		t.Fatalf("got %+v", got)
	}
	// Once the one has ended, nothing but its word ties the other to it.
	if _, err := p.in.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Waitid(unix.P_PID, p.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := p.in.Write([]byte("go\n")); err != nil {
		t.Fatal(err)
	}
	p.line(t)
	if got := box.list(t, h); len(got) != 2 || got[1].Status != "I am the one" || got[1].Pid != got[0].MainPid {
		t.Errorf("got %+v", got)
	}
}

func TestManySendersStayApartAndInOrder(t *testing.T) {
	h := hub(t)
	const programs, most = 20, 50
	var boxes []*inbox
	var started []*program
	for range programs {
		p := launchSelf(t, h.Path(), "count", strconv.Itoa(most))
		// Some are known at once, some have said all that they say by then.
		if rand.IntN(2) == 0 {
			time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
		}
		box, _ := watch(t, h, probe.Source{Pid: p.Process.Pid})
		boxes, started = append(boxes, box), append(started, p)
	}
	for i, p := range started {
		p.silence(t)
		got := boxes[i].list(t, h)
		for j, n := range got {
			if n.Pid != p.Process.Pid || n.Status != strconv.Itoa(j) {
				t.Fatalf("notice %d of program %d: %+v", j, i, n)
			}
		}
		if len(got) != most {
			t.Errorf("program %d: %d notices came", i, len(got))
		}
	}
}

// silence waits until the program's output has ended.
func (p *program) silence(t testing.TB) {
	t.Helper()
	if rest, err := p.out.ReadString('\n'); err == nil {
		t.Fatalf("it said %q", rest)
	}
}

func TestDrainBringsTheLastWordsOfTheDead(t *testing.T) {
	h := hub(t)
	for range 20 {
		p := launchSelf(t, h.Path(), "count", "3")
		box, _ := watch(t, h, probe.Source{Pid: p.Process.Pid})
		// It has exited, and is not reaped.
		if err := unix.Waitid(unix.P_PID, p.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
			t.Fatal(err)
		}
		if err := h.Drain(limit(t)); err != nil {
			t.Fatal(err)
		}
		box.mu.Lock()
		if len(box.all) != 3 {
			t.Errorf("%d of 3 have come", len(box.all))
		}
		box.mu.Unlock()
	}
}

func TestDrainDoesNotHang(t *testing.T) {
	h, err := probe.ListenHub(t.Context(), filepath.Join(t.TempDir(), "n"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := h.Drain(ctx); err == nil {
		t.Error("nobody serves, and all was handled")
	}
	served := make(chan error, 1)
	go func() { served <- h.Serve() }()
	if err := h.Drain(limit(t)); err != nil {
		t.Error(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if err := h.Drain(limit(t)); err == nil {
		t.Error("it is closed, and all was handled")
	}
}

func TestHubGoesFromHandToHand(t *testing.T) {
	for _, prefix := range []string{"", "@"} {
		path := prefix + filepath.Join(t.TempDir(), "n")
		former, err := probe.ListenHub(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		p := launchSelf(t, former.Path(), "say", "READY=1", "STATUS=while nobody listened")
		p.line(t)
		h, err := probe.AdoptHub(former.Conn(), former.Path())
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- h.Serve() }()
		box, _ := watch(t, h, probe.Source{Pid: p.Process.Pid})
		if got := box.list(t, h); len(got) != 2 || !got[0].Ready || got[1].Status != "while nobody listened" {
			t.Errorf("got %+v", got)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		if err := former.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAnybodyMaySend(t *testing.T) {
	h := hub(t)
	info, err := os.Stat(h.Path())
	if err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
	if _, err := probe.ListenHub(t.Context(), filepath.Join(t.TempDir(), strings.Repeat("x", 100), "n")); err == nil {
		t.Error("it listens nowhere")
	}
}

func TestOtherPeoplesSenders(t *testing.T) {
	for name, argv := range map[string][]string{
		// It asks for a barrier, and is gone when it was answered.
		"systemd-notify": {"sh", "-c", "systemd-notify --ready '--status=from the shell' && echo told"},
		// It has to stay until it was heard: without a barrier nobody knows whose it was.
		"python3": {"python3", "-c", `
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto(b"READY=1\nSTATUS=from the shell\n", os.environ["NOTIFY_SOCKET"])
print("told", flush=True)
sys.stdin.readline()`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(name); err != nil {
				t.Skip(err)
			}
			h := hub(t)
			// A shell script that tells by a helper.
			c := exec.Command("/bin/sh", append([]string{"-c", `"$@"; read end`, "sh"}, argv...)...)
			p := launch(t, h.Path(), c)
			box, _ := watch(t, h, probe.Source{Pid: p.Process.Pid})
			if got := p.line(t); got != "told" {
				t.Fatalf("it said %q", got)
			}
			got := box.list(t, h)
			ready := slices.ContainsFunc(got, func(n probe.Notice) bool { return n.Ready && n.Status == "from the shell" })
			if !ready {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestBarrierIsAnswered(t *testing.T) {
	h := hub(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Net: "unixgram", Name: h.Path()})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := w.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		_, _, err = conn.WriteMsgUnix([]byte("BARRIER=1"), unix.UnixRights(int(fd)), nil)
	}); err != nil {
		t.Fatal(err)
	}
	w.Close()
	// The sender waits until nobody holds the other end any more.
	r.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil || os.IsTimeout(err) {
		t.Errorf("got %d, %v", n, err)
	}
}
