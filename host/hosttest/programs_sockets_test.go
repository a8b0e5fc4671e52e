package hosttest_test

import (
	"context"
	_ "embed"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/hosttest"
	"github.com/dserver/dserver/host/hosttest/load"
)

// Programs that know LISTEN_FDS, as their authors write them.
var (
	//go:embed testdata/server.py
	serverScript string
	//go:embed testdata/wsgi.py
	wsgiScript string
	//go:embed testdata/gunicorn.conf.py
	gunicornScript string
)

// tool gives the path of an executable that the system may have, or skips the test
// by its name.
func tool(t *testing.T, name string) string {
	t.Helper()
	// The system's own is taken first: one in the home of a user may be a script that
	// looks for another one.
	for _, candidate := range []string{"/usr/bin/" + name, name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	t.Skipf("there is no %s here", name)
	return ""
}

// webServer is a program that knows LISTEN_FDS.
type webServer struct {
	command string // as a list in TOML
	ready   string
}

// on configures it as a program named web on two sockets.
func (s webServer) on(build string) hosttest.Settings {
	return hosttest.Settings{Extra: fmt.Sprintf(`
[program.web]
command = [%s]
listen  = { public = "tcp://127.0.0.1:0", local = "unix://web.sock" }
ready   = %q
env     = { BUILD = %q }
`, s.command, s.ready, build)}
}

func pythonServer(t *testing.T, in *hosttest.Instance) webServer {
	python := tool(t, "python3")
	in.Write("server.py", serverScript, 0o644)
	return webServer{command: fmt.Sprintf("%q, %q", python, "server.py"), ready: "notify"}
}

func gunicorn(t *testing.T, in *hosttest.Instance) webServer {
	path := tool(t, "gunicorn")
	in.Write("wsgi.py", wsgiScript, 0o644)
	in.Write("gunicorn.conf.py", gunicornScript, 0o644)
	return webServer{command: fmt.Sprintf("%q, %q", path, "wsgi:app"), ready: "log:all workers serve"}
}

// loadOnProgram is underLoad for the sockets of a program.
func loadOnProgram(t *testing.T, in *hosttest.Instance, program string, body func(l *load.Load)) {
	t.Helper()
	var targets []load.Target
	for _, network := range []string{"tcp", "unix"} {
		targets = append(targets, load.Target{Label: program, Network: network, Address: in.Addr(program, network)})
	}
	loadOn(t, in, targets, load.Options{Slow: 300 * time.Millisecond}, body)
}

// A program that gets its sockets from the master loses no request when it is
// reloaded or restarted, by clients that repeat nothing.
func TestProgramsWithSocketsLoseNothing(t *testing.T) {
	for _, s := range []struct {
		name    string
		prepare func(*testing.T, *hosttest.Instance) webServer
	}{{"python", pythonServer}, {"gunicorn", gunicorn}} {
		t.Run(s.name, func(t *testing.T) {
			hosttest.EachSupervisor(t, func(t *testing.T, in *hosttest.Instance) {
				web := s.prepare(t, in)
				in.Configure(web.on("first"))
				in.Start()
				loadOnProgram(t, in, "web", func(l *load.Load) { renewUnderLoad(t, in, l, web) })
				in.Stop()
				in.AssertGone()
			})
		})
	}
}

// renewUnderLoad brings web new processes in each way there is.
func renewUnderLoad(t *testing.T, in *hosttest.Instance, l *load.Load, web webServer) {
	t.Helper()
	for i, renew := range []func() ([]ctl.Action, error){
		func() ([]ctl.Action, error) { return reloaded(in, "web") },
		func() ([]ctl.Action, error) {
			in.Configure(web.on("second"))
			return reloaded(in)
		},
		func() ([]ctl.Action, error) {
			r, err := in.Client.Restart(t.Context(), ctl.ActionRequest{Names: []string{"web"}})
			return r.Results, err
		},
		func() ([]ctl.Action, error) {
			r, err := in.Client.Scale(t.Context(), ctl.ScaleRequest{Name: "web", Instances: 2})
			return r.Results, err
		},
		func() ([]ctl.Action, error) { return reloaded(in, "web") },
		func() ([]ctl.Action, error) {
			r, err := in.Client.Scale(t.Context(), ctl.ScaleRequest{Name: "web", Instances: 1})
			return r.Results, err
		},
	} {
		before := in.Pids("web")
		results, err := renew()
		l.Mark(time.Now())
		if err != nil || len(results) > 0 && results[0].Error != "" {
			t.Fatalf("step %d: %+v, %v", i+1, results, err)
		}
		if after := in.Pids("web"); fmt.Sprint(after) == fmt.Sprint(before) {
			t.Errorf("step %d brought no new process: %v", i+1, after)
		}
	}
	if got := httpBuild(t, in.Addr("web", "tcp")); got != "second" {
		t.Errorf("in the end %q answers, not the second build", got)
	}
}

// reloaded reloads and gives what failed as an error.
func reloaded(in *hosttest.Instance, names ...string) ([]ctl.Action, error) {
	r, err := in.Reload(context.Background(), ctl.ReloadRequest{Names: names})
	if err == nil && (r.Outcome != "committed" || r.Error != "") {
		err = fmt.Errorf("the reload was %s: %s\n%s", r.Outcome, r.Error, strings.Join(r.Output, "\n"))
	}
	return nil, err
}

// What a program serves does not depend on the master: neither another build in its
// place nor its sudden death is noticed by a client, and the next master has the
// same sockets and goes on with the same process.
func TestProgramsServeOnWithoutTheirMaster(t *testing.T) {
	hosttest.EachSupervisor(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(pythonServer(t, in).on("first"))
		in.Start()
		address, pids := in.Addr("web", "tcp"), fmt.Sprint(in.Pids("web"))
		loadOnProgram(t, in, "web", func(l *load.Load) {
			if r := in.Run("upgrade"); r.Code != 0 {
				t.Errorf("cannot upgrade: %v", r)
			}
			l.Mark(time.Now())
			for range 2 {
				kill(t, in.Info().Pid)
				in.Until("the instance to be dead", func() bool { return !in.Running() })
				l.Mark(time.Now())
				in.Start()
			}
		})
		if got := in.Addr("web", "tcp"); got != address {
			t.Errorf("it listens on %s now, it was %s", got, address)
		}
		if got := fmt.Sprint(in.Pids("web")); got != pids {
			t.Errorf("its process is %s now, it was %s", got, pids)
		}
		in.Stop()
		in.AssertGone()
	})
}

// kill kills a process at once.
func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}
