//go:build linux

package program_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dserver/dserver/host/cgroup"
	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/program"
	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/internal/proc"
	"github.com/dserver/dserver/internal/standin"
)

// keeper is a Set with real processes, and what was heard of them.
type keeper struct {
	*program.Set
	t    testing.TB
	tree *cgroup.Tree

	mu     sync.Mutex
	events []program.Event
	news   chan struct{} // closed at the next event
	output map[string][]string
}

// keep makes a Set. When the test ends all is stopped, and nothing of it may be left.
func keep(t testing.TB, change func(o *program.Options)) *keeper {
	t.Helper()
	k := &keeper{t: t, news: make(chan struct{}), output: make(map[string][]string)}
	files := descriptors(t)
	spawner := supervise.New(supervise.Options{})
	owner := group.New(context.Background(), nil)
	tree, err := cgroup.Find(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	k.tree = tree
	o := program.Options{
		Spawner: spawner, Group: owner, Environ: append(inherit.Scrub(os.Environ()), "GORACE=atexit_sleep_ms=0"),
		Cgroups: tree, Sinks: k.sinks, Publish: k.hear,
		Limits: func() program.Limits {
			return program.Limits{Ready: 20 * time.Second, Probation: 50 * time.Millisecond, Stop: 5 * time.Second}
		},
	}
	if change != nil {
		change(&o)
	}
	if k.Set, err = program.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		for _, r := range k.StopAll(ctx) {
			if r.Err != nil {
				t.Error(r.Program, r.Err)
			}
		}
		if err := errors.Join(owner.Stop(ctx), spawner.Wait(ctx), tree.Close()); err != nil {
			t.Error(err)
		}
		if left := descriptors(t); left > files+4 { // the poller's own come and stay
			t.Errorf("%d descriptors, %d before: %q", left, files, openFiles())
		}
	})
	return k
}

func openFiles() (names []string) {
	links, _ := filepath.Glob("/proc/self/fd/*")
	for _, link := range links {
		name, _ := os.Readlink(link)
		names = append(names, name)
	}
	return names
}

func descriptors(t testing.TB) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func (k *keeper) sinks(p *config.Program, _, _ int) (stdout, stderr supervise.Sink) {
	take := func(line []byte, _ bool) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.output[p.Name] = append(k.output[p.Name], string(line))
		k.wake()
	}
	return supervise.EachLine(take), supervise.EachLine(take)
}

func (k *keeper) hear(e program.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.events = append(k.events, e)
	k.wake()
}

func (k *keeper) wake() {
	close(k.news)
	k.news = make(chan struct{})
}

// until waits for something that events or output lead to.
func (k *keeper) until(what string, ok func() bool) {
	k.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		k.mu.Lock()
		news := k.news
		k.mu.Unlock()
		if ok() {
			return
		}
		select {
		case <-news:
		case <-limit:
			k.t.Fatalf("never came: %s; there is %+v; output %q", what, k.Programs(true), k.lines(""))
		}
	}
}

// lines are those of one program, or of all.
func (k *keeper) lines(name string) (lines []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, n := range slices.Sorted(maps.Keys(k.output)) {
		if name == "" || name == n {
			lines = append(lines, k.output[n]...)
		}
	}
	return lines
}

func (k *keeper) has(name, line string) func() bool {
	return func() bool { return slices.Contains(k.lines(name), line) }
}

func (k *keeper) in(name string, s program.State) func() bool {
	return func() bool { return k.status(name).State == s }
}

func (k *keeper) status(name string) program.Status {
	for _, p := range k.Programs(true) {
		if p.Name == name {
			return p
		}
	}
	k.t.Fatalf("there is no %s", name)
	return program.Status{}
}

// apply brings programs in, which must work out.
func (k *keeper) apply(programs ...config.Program) {
	k.t.Helper()
	fine(k.t, k.Apply(k.t.Context(), programs, nil, nil, nil))
}

func fine(t testing.TB, results []program.Result) {
	t.Helper()
	for _, r := range results {
		if r.Err != nil {
			t.Fatalf("%s: %v; output %q", r.Program, r.Err, r.Output)
		}
	}
}

// shell is a program that is a script.
func shell(name, script string, args ...string) config.Program {
	return define(name, append([]string{"/bin/sh", "-c", script, "sh"}, args...))
}

// child is a program that is a stand-in of this test binary.
func child(t testing.TB, name, kind string, args ...string) config.Program {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := define(name, append([]string{self}, args...))
	p.Process.Env = map[string]string{standin.Variable: standin.Value(kind)}
	return p
}

// define is a program as the configuration makes it by default, but for shorter
// waits.
func define(name string, command []string) config.Program {
	return config.Program{
		Name: name, Command: command, Instances: 1, Autostart: true, Batch: 1,
		Ready: config.Probe{Kind: config.ProbeStarted}, Live: config.Liveness{Action: config.ReloadRestart},
		Reload: config.ReloadRestart, Process: config.Process{Umask: -1, Dir: "/"},
		Stop: []config.StopStep{{Signal: "TERM", Wait: 5 * time.Second}},
		Keep: config.Keep{
			Restart: config.RestartOnFailure, BackoffMin: 10 * time.Millisecond, BackoffMax: time.Second,
			Stable: 10 * time.Second, StartLimit: 9, StartWindow: time.Minute,
		},
	}
}

func TestOnceMeansOnce(t *testing.T) {
	k := keep(t, nil)
	p := shell("once", "echo ran")
	p.Keep.Restart = config.RestartNo
	k.apply(p)
	k.until("the end", k.in("once", program.Exited))
	time.Sleep(300 * time.Millisecond) // for what must not come
	if got := k.lines("once"); len(got) != 1 {
		t.Errorf("it ran %d times", len(got))
	}
}

func TestCrashLoopEndsFatal(t *testing.T) {
	k := keep(t, nil)
	told := filepath.Join(t.TempDir(), "told")
	p := shell("bad", "echo starting; echo last words >&2; exit 3")
	p.OnFatal = []string{"/bin/sh", "-c", `{ echo "$DSERVER_PROGRAM: $DSERVER_CAUSE"; cat; } >"$1.new"; mv "$1.new" "$1"; echo told`, "sh", told}
	k.Apply(t.Context(), []config.Program{p}, nil, nil, nil)
	k.until("fatal", k.in("bad", program.Fatal))
	i := k.status("bad").Instances[0]
	if i.Generation != 9 || len(i.History) != 9 || i.History[8].Code != 3 || !slices.Contains(i.Output, "last words") {
		t.Errorf("got %+v", i)
	}
	k.until("on_fatal", k.has("bad", "told"))
	text, err := os.ReadFile(told)
	if err != nil || !strings.HasPrefix(string(text), "bad: exit status 3; 9 starts within 1m0s\n") || !strings.Contains(string(text), "last words\n") {
		t.Errorf("on_fatal was told %q, %v", text, err)
	}
}

func TestKilledProgramIsBackAtOnceAndItsFamilyIsGone(t *testing.T) {
	k := keep(t, nil)
	pids := filepath.Join(t.TempDir(), "pids")
	k.apply(child(t, "family", "family", pids))
	fastest := time.Hour
	defer func() {
		if fastest > 300*time.Millisecond {
			t.Errorf("it took %v at least", fastest) // some milliseconds, but for what else this machine does
		}
	}()
	for round := range 5 {
		var family []int
		deadline := time.Now().Add(20 * time.Second)
		for len(family) < 4 && time.Now().Before(deadline) {
			family = readPids(pids)
			time.Sleep(5 * time.Millisecond)
		}
		if len(family) != 4 {
			t.Fatalf("the family is %v", family)
		}
		if err := os.Remove(pids); err != nil {
			t.Fatal(err)
		}
		before := k.status("family").Instances[0]
		if round == 4 {
			fine(t, k.Stop(t.Context(), []string{"family"}))
		} else {
			began := time.Now()
			if err := syscall.Kill(before.Pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			k.until("the next one", func() bool {
				i := k.status("family").Instances[0]
				return i.Generation > before.Generation && i.State == program.Ready
			})
			fastest = min(fastest, time.Since(began))
		}
		for _, pid := range family {
			if proc.Alive(pid) {
				t.Errorf("round %d: %d of the old family lives on", round, pid)
			}
		}
	}
}

func readPids(name string) (pids []int) {
	text, _ := os.ReadFile(name)
	for field := range strings.FieldsSeq(string(text)) {
		if pid, err := strconv.Atoi(field); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func TestNewlineSaysReady(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	k := keep(t, func(o *program.Options) {
		o.Sockets = func(string) ([]string, []syscall.Conn) {
			return []string{"web"}, []syscall.Conn{ln.(*net.TCPListener)}
		}
	})
	p := child(t, "late", "newline", "7", "300ms")
	p.Ready = config.Probe{Kind: config.ProbeNewline, FD: 7}
	began := time.Now()
	k.apply(p)
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("ready after %v", took)
	}
	never := child(t, "never", "newline", "4", "never")
	never.Ready = config.Probe{Kind: config.ProbeNewline, FD: 4}
	never.Keep.Restart = config.RestartNo
	taken := child(t, "taken", "newline", "3", "1s")
	taken.Ready = config.Probe{Kind: config.ProbeNewline, FD: 3}
	taken.Keep.Restart = config.RestartNo
	results := k.Apply(t.Context(), []config.Program{p, never, taken}, nil, nil, nil)
	for i, want := range []string{"closed without a newline", "is a socket's"} {
		if results[i].Err == nil || !strings.Contains(fmt.Sprint(results[i].Err), want) {
			t.Errorf("got %+v, want %q", results[i], want)
		}
	}
}

func TestSocketsAndVariables(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	k := keep(t, func(o *program.Options) {
		o.Sockets = func(string) ([]string, []syscall.Conn) {
			return []string{"web", "admin"}, []syscall.Conn{ln.(*net.TCPListener), ln.(*net.TCPListener)}
		}
	})
	p := child(t, "web", "listen")
	p.Watchdog = time.Hour
	k.apply(p)
	k.until("its report", k.has("web", "WATCHDOG_PID false"))
	if got, want := k.lines("web"), []string{"socket web", "socket admin", "NOTIFY_SOCKET false", "WATCHDOG_USEC true", "WATCHDOG_PID false"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// TestEnvironmentIsReadAtEachStart: what was changed comes in, what was removed goes.
func TestEnvironmentIsReadAtEachStart(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	p := shell("env", `echo "$A-$B-$C-${INVOCATION_ID:+id}-$DSERVER_X"; exec sleep 1000`)
	p.Process.EnvFiles = []string{write("env", "A=1\nB=2\n")}
	p.Process.Secrets = map[string]string{"C": write("secret", "s3cret\n")}
	p.Process.Inherit = []string{"PATH"}
	k := keep(t, nil)
	k.apply(p)
	k.until("the first run", k.has("env", "1-2-s3cret-id-"))
	write("env", "A=3\n")
	write("secret", "other")
	fine(t, k.Restart(t.Context(), []string{"env"}))
	k.until("the second run", k.has("env", "3--other-id-"))
	if err := os.Remove(filepath.Join(dir, "secret")); err != nil {
		t.Fatal(err)
	}
	r := k.Restart(t.Context(), []string{"env"})
	if r[0].Err == nil || !strings.Contains(r[0].Err.Error(), "secret") || strings.Contains(r[0].Err.Error(), "other") {
		t.Errorf("without the secret: %v", r[0].Err)
	}
}

func TestCommandsBeforeAndAfter(t *testing.T) {
	k := keep(t, nil)
	p := shell("web", "echo run; trap 'echo bye; exit 0' TERM; while :; do sleep 0.05; done")
	p.PreStart = []string{"/bin/sh", "-c", "echo before"}
	p.PostStop = []string{"/bin/sh", "-c", "echo after"}
	p.Stop = []config.StopStep{
		{Command: []string{"/bin/sh", "-c", `echo asking $MAINPID; exit 1`}, Wait: time.Minute},
		{Command: []string{"/bin/sh", "-c", `kill -TERM $MAINPID`}, Wait: 10 * time.Second},
	}
	k.apply(p)
	k.until("its run", k.has("web", "run"))
	pid := k.status("web").Instances[0].Pid
	fine(t, k.Stop(t.Context(), []string{"web"}))
	k.until("post_stop", k.has("web", "after"))
	want := []string{"before", "run", fmt.Sprint("asking ", pid), "bye", "after"}
	if got := k.lines("web"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	bad := shell("bad", "echo never")
	bad.PreStart = []string{"/bin/sh", "-c", "echo no database; exit 4"}
	bad.Keep.StartLimit = 2
	r := k.Apply(t.Context(), []config.Program{p, bad}, nil, nil, nil)
	if len(r) != 1 || r[0].Err == nil || !strings.Contains(r[0].Err.Error(), "pre_start failed: exit status 4: no database") {
		t.Errorf("got %+v", r)
	}
	k.until("fatal", k.in("bad", program.Fatal))
	slow := shell("slow", "echo never")
	slow.PreStart = []string{"/bin/sleep", "1000"}
	slow.StartTimeout = 100 * time.Millisecond
	slow.Keep.Restart = config.RestartNo
	r = k.Apply(t.Context(), []config.Program{slow}, nil, nil, nil)
	if got := r[len(r)-1]; got.Err == nil || !strings.Contains(got.Err.Error(), "pre_start was killed: it took longer than 100ms") {
		t.Errorf("got %+v", got)
	}
}

func TestOutOfMemoryIsTold(t *testing.T) {
	k := keep(t, nil)
	if lacks := k.tree.Lacks(cgroup.Limits{Memory: 64 << 20}); len(lacks) > 0 {
		t.Skip(lacks[0])
	}
	p := child(t, "glutton", "eat", "400")
	p.Process.Memory = 64 << 20
	p.Keep.Restart = config.RestartNo
	k.Apply(t.Context(), []config.Program{p}, nil, nil, nil)
	k.until("the end", k.in("glutton", program.Fatal))
	if got := k.status("glutton").Instances[0].Reason; got != "signal: killed (out of memory)" {
		t.Errorf("got %q", got)
	}
}

func TestIdentity(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may become somebody else")
	}
	k := keep(t, nil)
	p := child(t, "who", "identity")
	p.Keep.Restart = config.RestartNo
	p.Process.Umask, p.Process.NoNewPrivs = 0o027, true
	p.Process.Identity = &config.Identity{UID: 65534, GID: 65533, Groups: []int{7, 8}, Name: "nobody", Home: "/nonexistent"}
	self, err := os.Open(p.Command[0])
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	p.Command[0] = copyOf(t, self) // a place that everybody may look at
	k.apply(p)
	k.until("the end", k.in("who", program.Exited))
	want := []string{"Umask 0027", "Uid 65534 65534 65534 65534", "Gid 65533 65533 65533 65533", "Groups 7 8", "NoNewPrivs 1"}
	if got := k.lines("who"); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func copyOf(t *testing.T, f *os.File) string {
	dir, err := os.MkdirTemp("", "program")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "child")
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err == nil {
		_, err = out.ReadFrom(f)
	}
	if err := errors.Join(err, os.Chmod(dir, 0o755), out.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}
