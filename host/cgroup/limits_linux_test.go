package cgroup_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/cgroup"
)

const mb = 1 << 20

// eat obeys commands on its input, one a line: "memory N" takes so many MB for
// good, "file N PATH" writes so many to a file. It answers each with "ready".
func eat([]string) error {
	var held [][]byte
	in := bufio.NewScanner(os.Stdin)
	fmt.Println("ready")
	for in.Scan() {
		f := strings.Fields(in.Text())
		n, err := strconv.Atoi(f[1])
		if err != nil {
			return err
		}
		if f[0] == "memory" {
			held = append(held, take(n))
		} else if err := fill(f[2], n); err != nil {
			return err
		}
		fmt.Println("ready")
	}
	return fmt.Errorf("no more commands, with %d in hand: %w", len(held), io.ErrUnexpectedEOF)
}

// fill writes so many MB to a file.
func fill(name string, n int) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	piece := make([]byte, mb)
	for range n {
		if _, err := f.Write(piece); err != nil {
			return err
		}
	}
	return f.Close()
}

// take gives memory that the kernel has really given.
func take(n int) []byte {
	b, err := unix.Mmap(-1, 0, n*mb, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		panic(err)
	}
	for i := 0; i < len(b); i += os.Getpagesize() {
		b[i] = 1
	}
	return b
}

// burn keeps two processors busy.
func burn([]string) error {
	fmt.Println("ready")
	go func() {
		for {
		}
	}()
	for {
	}
}

// eater is a process that runs eat.
type eater struct {
	*exec.Cmd
	in  io.Writer
	out *bufio.Reader
}

func startEater(t testing.TB, g *cgroup.Group) *eater {
	t.Helper()
	c, err := self("eat")
	if err != nil {
		t.Fatal(err)
	}
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, g, c)
	e := &eater{Cmd: c, in: in, out: bufio.NewReader(out)}
	e.answer(t)
	return e
}

func (e *eater) command(t testing.TB, format string, args ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(e.in, format+"\n", args...); err != nil {
		t.Fatal(err)
	}
}

func (e *eater) answer(t testing.TB) {
	t.Helper()
	if line, err := e.out.ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("it said %q, %v", line, err)
	}
}

// limited gives a group with limits that this machine can enforce, or skips.
func limited(t *testing.T, l cgroup.Limits) *cgroup.Group {
	t.Helper()
	tree := find(t, instance(t))
	for _, lack := range tree.Lacks(l) {
		if !strings.Contains(lack, "watched") {
			t.Skip(lack)
		}
	}
	return group(t, tree, "limited", l)
}

func TestMemoryBeyondTheLimitIsAKill(t *testing.T) {
	g := limited(t, cgroup.Limits{Memory: 128 * mb})
	for run := range 2 {
		e := startEater(t, g)
		e.command(t, "memory 10")
		e.answer(t)
		if n, err := g.OOMKills(); n != run || err != nil {
			t.Fatalf("%d were killed, %v, want %d", n, err, run)
		}
		e.command(t, "memory 1000")
		var exit *exec.ExitError
		if err := e.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != unix.SIGKILL {
			t.Fatalf("it ended with %v", err)
		}
		if n, err := g.OOMKills(); n != run+1 || err != nil {
			t.Errorf("%d were killed, %v, want %d", n, err, run+1)
		}
		if err := g.Gone(limit(t)); err != nil {
			t.Fatal(err)
		}
		// What is started next must find the limit, also after a kill of the whole.
		if err := g.Kill(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMemoryBelowTheLimitIsNone(t *testing.T) {
	g := limited(t, cgroup.Limits{Memory: 256 * mb})
	e := startEater(t, g)
	e.command(t, "memory 100")
	e.answer(t)
	// Cached files give way.
	e.command(t, "file 300 %s", onDisk(t))
	e.answer(t)
	if n, err := g.OOMKills(); n != 0 || err != nil {
		t.Errorf("%d were killed, %v", n, err)
	}
	u, err := g.Usage()
	if err != nil || u.Pids != 1 || u.Anon < 100*mb || u.Anon > 200*mb || u.Memory < u.Anon || u.Memory > 256*mb {
		t.Errorf("got %+v, %v", u, err)
	}
}

// onDisk gives the path of a file that the kernel may drop from memory.
func onDisk(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		t.Fatal(err)
	}
	if stat.Type == unix.TMPFS_MAGIC {
		t.Skip("the temporary folder is in memory: nothing on it can be dropped")
	}
	return filepath.Join(dir, "file")
}

func TestHighTellsOfMemoryThatStays(t *testing.T) {
	g := limited(t, cgroup.Limits{MemoryHigh: 256 * mb})
	told := make(chan error, 1)
	ctx := limit(t)
	go func() { told <- g.High(ctx) }()
	e := startEater(t, g)
	for range 3 {
		e.command(t, "memory 40")
		e.answer(t)
	}
	e.command(t, "file 300 %s", onDisk(t))
	e.answer(t)
	select {
	case err := <-told:
		u, _ := g.Usage()
		t.Fatalf("too early: %v, %+v", err, u)
	case <-time.After(50 * time.Millisecond):
	}
	// The kernel may slow it down so much that it never answers.
	for range 4 {
		e.command(t, "memory 40")
	}
	if err := <-told; err != nil {
		t.Fatal(err)
	}
	if u, err := g.Usage(); err != nil || u.Anon < 230*mb || u.Anon > 300*mb {
		t.Errorf("got %+v, %v", u, err)
	}
	// It is so still.
	if err := g.High(ctx); err != nil {
		t.Error(err)
	}
}

func TestHighFollowsItsLimitAndItsContext(t *testing.T) {
	g := limited(t, cgroup.Limits{Memory: 512 * mb})
	e := startEater(t, g)
	e.command(t, "memory 100")
	e.answer(t)
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := g.High(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a limit: %v", err)
	}
	told := make(chan error, 1)
	ctx := limit(t)
	go func() { told <- g.High(ctx) }()
	if err := g.Set(cgroup.Limits{MemoryHigh: 400 * mb}); err != nil {
		t.Fatal(err)
	}
	if err := g.Set(cgroup.Limits{MemoryHigh: 90 * mb}); err != nil {
		t.Fatal(err)
	}
	if err := <-told; err != nil {
		t.Error(err)
	}
	var none *cgroup.Group
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := none.High(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("no group: %v", err)
	}
}

func TestForksBeyondTheLimitFail(t *testing.T) {
	const most = 20
	g := limited(t, cgroup.Limits{Pids: most})
	c := exec.Command("/bin/sh", "-c", "while :; do sleep 1000 & done")
	start(t, g, c)
	if err := c.Wait(); err == nil {
		t.Error("the shell ended well")
	}
	pids, err := g.Pids()
	// Who had not yet become a sleep when the shell gave up has gone with it.
	if err != nil || len(pids) > most || len(pids) < most/2 {
		t.Errorf("%d live, %v", len(pids), err)
	}
}

func TestProcessorsBeyondTheLimitAreNotHad(t *testing.T) {
	const cores = 0.2
	g := limited(t, cgroup.Limits{CPU: cores})
	c := run(t, g, "burn")
	used := func() float64 {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')'):]))
		user, _ := strconv.Atoi(f[12])
		system, _ := strconv.Atoi(f[13])
		return float64(user+system) / 100
	}
	before, began := used(), time.Now()
	time.Sleep(1500 * time.Millisecond) // what is measured
	got := (used() - before) / time.Since(began).Seconds()
	if got > cores*1.5 {
		t.Errorf("it had %.2f processors, allowed are %v", got, cores)
	}
	// With a higher limit it gets more: the limit was what held it.
	if err := g.Set(cgroup.Limits{CPU: 2}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; { // others may be busy, too
		before, began = used(), time.Now()
		time.Sleep(300 * time.Millisecond)
		if (used()-before)/time.Since(began).Seconds() > cores*2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it gets no more although it may")
		}
	}
	if u, err := g.Usage(); err != nil || g.Folder() != "" && u.CPU == 0 {
		t.Errorf("got %+v, %v", u, err)
	}
}

func TestLimitsThatCannotBe(t *testing.T) {
	tree := find(t, instance(t))
	g := group(t, tree, "wrong", cgroup.Limits{})
	for _, l := range []cgroup.Limits{
		{Memory: -1}, {MemoryHigh: -1}, {Pids: -1}, {CPU: -1}, {CPU: 0.001}, {CPU: math.NaN()}, {CPU: math.Inf(1)},
	} {
		if _, err := tree.Make("never", l); err == nil || !strings.Contains(err.Error(), "limit") {
			t.Errorf("%+v was taken: %v", l, err)
		}
		if err := g.Set(l); err == nil {
			t.Errorf("%+v was set", l)
		}
	}
	if _, err := tree.Open("never"); err == nil {
		t.Error("a group that was refused is there")
	}
}

func TestLimitsCanBeSetLater(t *testing.T) {
	tree := find(t, instance(t))
	if lacks := tree.Lacks(cgroup.Limits{Pids: 20, Memory: mb}); len(lacks) > 0 {
		t.Skip(lacks)
	}
	g := group(t, tree, "later", cgroup.Limits{})
	c := exec.Command("/bin/sh", "-c", "read go; while :; do sleep 1000 & done")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, g, c)
	for _, l := range []cgroup.Limits{{Pids: 20, Memory: 200 * mb, CPU: 1}, {Memory: 100 * mb}, {}, {Memory: 500 * mb, Pids: 10}, {Pids: 20}} {
		if err := g.Set(l); err != nil {
			t.Fatalf("%+v: %v", l, err)
		}
	}
	fmt.Fprintln(in, "go")
	if err := c.Wait(); err == nil {
		t.Error("the shell ended well")
	}
	if pids, err := g.Pids(); err != nil || len(pids) > 20 {
		t.Errorf("%d live, %v", len(pids), err)
	}
}
