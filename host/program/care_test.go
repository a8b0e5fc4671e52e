//go:build linux

package program_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/dserver/dserver/host/cgroup"
	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/program"
	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/internal/loopback"
	"github.com/dserver/dserver/internal/proc"
	"github.com/dserver/dserver/internal/standin"
)

// say tells the service manager what its arguments are, and stays.
func say(args []string) error {
	if err := inherit.Notify(context.Background(), os.Getenv("NOTIFY_SOCKET"), args...); err != nil {
		return err
	}
	time.Sleep(time.Hour)
	return nil
}

func sayOnce(args []string) error {
	return inherit.Notify(context.Background(), os.Getenv("NOTIFY_SOCKET"), args...)
}

// forkAway starts another process, which says READY=1, names it as the main one and
// exits at once, like a daemon. The other one ends with the code 7 by SIGUSR1.
func forkAway(args []string) error {
	if len(args) > 0 {
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGUSR1)
		os.NewFile(3, "ready").Close()
		<-c
		os.Exit(7)
	}
	ours, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	pid, err := syscall.ForkExec(self, []string{"daemon", "main"}, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2, theirs.Fd()}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	theirs.Close()
	if _, err := ours.Read(make([]byte, 1)); err != io.EOF {
		return fmt.Errorf("the main process is not there: %v", err)
	}
	return inherit.Notify(context.Background(), os.Getenv("NOTIFY_SOCKET"), "READY=1", "MAINPID="+strconv.Itoa(pid))
}

// beat says WATCHDOG=1 as often as it has to, until it has done so as many times as
// its argument says.
func beat(args []string) error {
	count, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	usec, err := strconv.Atoi(os.Getenv("WATCHDOG_USEC"))
	if err != nil {
		return err
	}
	for range count {
		if err := inherit.Notify(context.Background(), os.Getenv("NOTIFY_SOCKET"), "WATCHDOG=1"); err != nil {
			return err
		}
		time.Sleep(time.Duration(usec) * time.Microsecond / 3)
	}
	fmt.Println("tired")
	time.Sleep(time.Hour)
	return nil
}

// serveHTTP answers at the address that is its argument: /ready with 503 for a while,
// /break makes /health fail from then on, and each question about that is told.
func serveHTTP(args []string) error {
	began := time.Now()
	var broken atomic.Bool
	http.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) {
		if time.Since(began) < 300*time.Millisecond {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	http.HandleFunc("/break", func(http.ResponseWriter, *http.Request) { broken.Store(true) })
	http.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Println("asked")
		if broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	return http.ListenAndServe(args[0], nil)
}

// listening gives a Set a notify socket.
func listening(t testing.TB) func(o *program.Options) {
	path := filepath.Join(t.TempDir(), "ntf.sock")
	return func(o *program.Options) { o.NotifySocket = path }
}

func TestNoticesAreHeard(t *testing.T) {
	k := keep(t, listening(t))
	p := child(t, "web", "say", "READY=1", "STATUS=serving all")
	p.Ready = config.Probe{Kind: config.ProbeNotify}
	k.apply(p)
	k.until("its status", func() bool { return k.status("web").Instances[0].Says == "serving all" })
	// One that says nothing is given up with the reason.
	mute := shell("mute", "exec sleep 1000")
	mute.Ready, mute.StartTimeout, mute.Keep.Restart = config.Probe{Kind: config.ProbeNotify}, 200*time.Millisecond, config.RestartNo
	r := k.Apply(t.Context(), []config.Program{p, mute}, nil, nil, nil)
	if len(r) != 1 || r[0].Err == nil || !strings.Contains(r[0].Err.Error(), "not ready within 200ms") {
		t.Errorf("got %+v", r)
	}
	// The shell itself is not who speaks. Who has gone before anybody could look at
	// him is a stranger, so he speaks until he is heard.
	script := shell("script", `(while "$@"; do sleep 0.05; done) & exec sleep 1000`, child(t, "", "").Command[0], "READY=1")
	script.Process.Env = map[string]string{standin.Variable: standin.Value("sayonce")}
	script.Ready = config.Probe{Kind: config.ProbeNotify}
	fine(t, k.Apply(t.Context(), []config.Program{p, mute, script}, nil, nil, nil))
}

func TestDaemonThatForksAwayIsFollowed(t *testing.T) {
	k := keep(t, listening(t))
	p := child(t, "daemon", "daemon")
	p.Ready = config.Probe{Kind: config.ProbeNotify}
	p.Keep.Restart = config.RestartAlways
	for round := range 10 {
		if round == 0 {
			k.apply(p)
		}
		k.until("ready", k.in("daemon", program.Ready))
		before := k.status("daemon").Instances[0]
		if before.Generation != round+1 || !proc.Alive(before.Pid) {
			t.Fatalf("round %d: got %+v", round, before)
		}
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", before.Pid))
		if err != nil || !strings.Contains(string(line), "main") {
			t.Fatalf("round %d: the main process is %q, %v", round, line, err)
		}
		if err := syscall.Kill(before.Pid, syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		k.until("the next one", func() bool { return k.status("daemon").Instances[0].Generation == round+2 })
		if h := k.status("daemon").Instances[0].History; h[len(h)-1].Code != 7 {
			t.Errorf("round %d: it ended with %+v", round, h[len(h)-1])
		}
		if round == 7 {
			fine(t, k.Reset(t.Context(), []string{"daemon"}))
		}
	}
}

func TestWatchdogBites(t *testing.T) {
	k := keep(t, listening(t))
	p := child(t, "dog", "beat", "20")
	p.Watchdog = 300 * time.Millisecond
	k.apply(p)
	k.until("tired", k.has("dog", "tired"))
	if i := k.status("dog").Instances[0]; i.Generation != 1 {
		t.Fatalf("it was bitten before: %+v", i)
	}
	k.until("the next one", func() bool { return k.status("dog").Instances[0].Generation == 2 })
	h := k.status("dog").Instances[0].History[0]
	if h.By != "watchdog" || !strings.HasPrefix(h.Cause, "no WATCHDOG=1 for 300ms; ") {
		t.Errorf("it ended with %+v", h)
	}
}

func TestReadinessIsAsked(t *testing.T) {
	k := keep(t, nil)
	address := loopback.Free(t)
	web := child(t, "web", "http", address)
	web.Ready = config.Probe{Kind: config.ProbeHTTP, Address: "http://" + address + "/ready"}
	began := time.Now()
	k.apply(web)
	if took := time.Since(began); took < 290*time.Millisecond {
		t.Errorf("ready after %v", took)
	}
	tcp := shell("tcp", "exec sleep 1000")
	tcp.Ready = config.Probe{Kind: config.ProbeTCP, Address: loopback.Free(t)}
	tcp.StartTimeout, tcp.Keep.Restart = 2*time.Second, config.RestartNo // likewise
	line := shell("line", "echo begin; sleep 0.2; echo 'listening on 17'; exec sleep 1000")
	line.Ready = config.Probe{Kind: config.ProbeLog, Pattern: "listening on [0-9]+"}
	file := filepath.Join(t.TempDir(), "ready")
	command := shell("command", `sleep 0.2; : >"$1"; exec sleep 1000`, file)
	command.Ready = config.Probe{Kind: config.ProbeExec, Command: []string{"/bin/sh", "-c", `test -e "$1" || { echo missing; exit 1; }`, "sh", file}}
	never := shell("never", "exec sleep 1000")
	never.Ready = config.Probe{Kind: config.ProbeExec, Command: []string{"/bin/sh", "-c", "echo still missing; exit 1"}}
	never.StartTimeout, never.Keep.Restart = 2*time.Second, config.RestartNo // long enough for one answer
	for _, r := range k.Apply(t.Context(), []config.Program{web, tcp, line, command, never}, nil, nil, nil) {
		want := map[string]string{"tcp": "connection refused", "never": "still missing"}[r.Program]
		if want == "" && r.Err != nil || want != "" && (r.Err == nil || !strings.Contains(r.Err.Error(), want)) {
			t.Errorf("%s: %v, want %q", r.Program, r.Err, want)
		}
	}
}

func TestSickProgramIsRestarted(t *testing.T) {
	k := keep(t, nil)
	address := loopback.Free(t)
	p := child(t, "web", "http", address)
	p.Ready = config.Probe{Kind: config.ProbeHTTP, Address: "http://" + address + "/ready"}
	p.Live = config.Liveness{
		Probe:    config.Probe{Kind: config.ProbeHTTP, Address: "http://" + address + "/health"},
		Interval: 20 * time.Millisecond, Timeout: time.Second, Failures: 3, Action: config.ReloadRestart,
	}
	k.apply(p)
	k.until("more questions than may fail", func() bool { return len(k.lines("web")) > p.Live.Failures+1 })
	if i := k.status("web").Instances[0]; i.Generation != 1 {
		t.Fatalf("it was restarted: %+v", i)
	}
	response, err := http.Get("http://" + address + "/break")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	k.until("the next one", func() bool {
		i := k.status("web").Instances[0]
		return i.Generation == 2 && i.State == program.Ready
	})
	if h := k.status("web").Instances[0].History[0]; h.By != "probe" || !strings.Contains(h.Cause, "3 probes failed: ") || !strings.Contains(h.Cause, "500") {
		t.Errorf("it ended with %+v", h)
	}
}

// TestSocketsAreServedWhileReplaced: the new process has the same socket, and the
// old one ends only when that one is ready.
func TestSocketsAreServedWhileReplaced(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	k := keep(t, func(o *program.Options) {
		listening(t)(o)
		o.Sockets = func(string) ([]string, []syscall.Conn) {
			return []string{"web"}, []syscall.Conn{ln.(*net.TCPListener)}
		}
	})
	p := child(t, "web", "serve")
	p.Ready, p.Reload, p.Instances = config.Probe{Kind: config.ProbeNotify}, config.ReloadReplace, 2
	k.apply(p)
	stop := make(chan struct{})
	failed := make(chan error, 100)
	served := make(chan int)
	go func() {
		n := 0
		defer func() { served <- n }()
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := askOnce(ln.Addr().String()); err != nil {
				failed <- err
				return
			}
			n++
		}
	}()
	for range 10 {
		fine(t, k.Reload(t.Context(), []string{"web"}))
	}
	if err := syscall.Kill(k.status("web").Instances[0].Pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	close(stop)
	t.Log("served", <-served)
	select {
	case err := <-failed:
		t.Error(err)
	default:
	}
	if i := k.status("web").Instances[1]; i.Generation != 11 {
		t.Errorf("got %+v", i)
	}
}

func askOnce(address string) error {
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	answer := make([]byte, 3)
	if _, err := conn.Read(answer); err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	return nil
}

// serveSocket answers each connection on the socket that it was handed with "hi\n",
// and stops to accept when it is told to end.
func serveSocket([]string) error {
	named, err := inherit.Take(os.LookupEnv)
	if err != nil {
		return err
	}
	ln, err := inherit.Listener(named[0].File)
	if err != nil {
		return err
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	go func() {
		<-c
		ln.Close()
	}()
	if err := inherit.Notify(context.Background(), os.Getenv("NOTIFY_SOCKET"), "READY=1"); err != nil {
		return err
	}
	for {
		conn, err := ln.Accept()
		if err != nil {
			return nil
		}
		conn.Write([]byte("hi\n"))
		conn.Close()
	}
}

// TestHungryProgramIsReloadedBeforeItIsKilled: at memory_high there comes a new
// process, and the old one ends in peace.
func TestHungryProgramIsReloadedBeforeItIsKilled(t *testing.T) {
	k := keep(t, nil)
	limits := cgroup.Limits{Memory: 256 << 20, MemoryHigh: 64 << 20}
	if lacks := k.tree.Lacks(cgroup.Limits{Memory: limits.Memory}); len(lacks) > 0 {
		t.Skip(lacks[0]) // and then nothing tells of memory_high, either
	}
	// The first one eats, the others do not.
	p := shell("hungry", `if mkdir "$1"; then exec "$2" 100; fi; exec sleep 1000`, filepath.Join(t.TempDir(), "eaten"), child(t, "", "").Command[0])
	p.Process.Env = map[string]string{standin.Variable: standin.Value("eat")}
	p.Process.Memory, p.Process.MemoryHigh = limits.Memory, limits.MemoryHigh
	p.Reload = config.ReloadReplace
	k.apply(p)
	k.until("the next one", func() bool {
		i := k.status("hungry").Instances[0]
		return i.Generation == 2 && len(i.History) == 1
	})
	if h := k.status("hungry").Instances[0].History[0]; h.By != "recycle" || strings.Contains(h.Cause, "memory") {
		t.Errorf("it ended with %+v", h)
	}
}
