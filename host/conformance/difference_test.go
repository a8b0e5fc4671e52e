package conformance

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/hosttest"
)

// shown shows each difference of docs/modes.md in one mode: what the page says of
// it must be true.
func shown() map[string]func(t *testing.T, in *hosttest.Instance) {
	return map[string]func(*testing.T, *hosttest.Instance){
		"mode":          showMode,
		"worker":        showWorker,
		"workers":       showWorker,
		"pid":           showPid,
		"instances":     showInstances,
		"needs":         showNeeds,
		"generation":    showGeneration,
		"upgrade":       showUpgrade,
		"overlap":       showOverlap,
		"events":        showEvents,
		"output":        showOutput,
		"crash":         showCrash,
		"killed-master": showKilledMaster,
		"launcher":      showLauncher,
	}
}

// TestDifferencesAreAsThePageSays goes through the page row by row.
func TestDifferencesAreAsThePageSays(t *testing.T) {
	all := shown()
	rows := listedDifferences(t)
	for name := range all {
		if !slices.Contains(rows, name) {
			t.Errorf("docs/modes.md has no row for %s", name)
		}
	}
	for _, name := range rows {
		show, ok := all[name]
		if !ok {
			t.Errorf("docs/modes.md has a row for %s, which nothing shows", name)
			continue
		}
		t.Run(name, func(t *testing.T) { eachMode(t, show) })
	}
}

func single(in *hosttest.Instance) bool { return in.Mode == "single" }

func showMode(t *testing.T, in *hosttest.Instance) {
	in.Start()
	if info := in.Info(); info.Mode != in.Mode {
		t.Errorf("it says %s", info.Mode)
	}
}

func showWorker(t *testing.T, in *hosttest.Instance) {
	in.Start()
	want := []string{"math: math", "shop: shop", "web: web faulty"}
	if single(in) {
		want = []string{"main: math web shop faulty"}
	}
	inspection := in.Inspect()
	var got []string
	pids := map[int]bool{inspection.Info.Pid: true}
	for _, w := range inspection.Workers {
		got = append(got, w.Name+": "+strings.Join(w.Sandboxes, " "))
		pids[w.Pid] = true
	}
	if !slices.Equal(got, want) {
		t.Errorf("workers are %q, want %q", got, want)
	}
	if n := 1 + len(want); !single(in) && len(pids) != n || single(in) && len(pids) != 1 {
		t.Errorf("there are %d processes", len(pids))
	}
	if running := in.Processes(); len(running) != len(pids) {
		t.Errorf("there are the processes %v, and the master tells of %d", running, len(pids))
	}
}

func showPid(t *testing.T, in *hosttest.Instance) {
	in.Start()
	before, worker := in.Info().Pid, pidOf(t, in, "web")
	in.MustReload(hosttest.Build{Label: "second"})
	after := in.Info().Pid
	if (after != before) != single(in) {
		t.Errorf("the pid was %d and is %d", before, after)
	}
	if now := pidOf(t, in, "web"); now == worker || (now == after) != single(in) {
		t.Errorf("web ran in %d and runs in %d, the master in %d", worker, now, after)
	}
	if text, err := os.ReadFile(ownFolder(in) + "/pid"); err != nil || strings.TrimSpace(string(text)) != itoa(after) {
		t.Errorf("the pid file has %q, %v; the pid is %d", text, err, after)
	}
}

// showNeeds lets one worker wait for a program, and looks when the others start.
func showNeeds(t *testing.T, in *hosttest.Instance) {
	in.Configure(hosttest.Settings{Extra: "\n[log]\nlevel = \"debug\"\n[worker.math]\nneeds = [\"slow\"]\n" +
		"[program.slow]\ncommand = \"sh -c 'sleep 1; echo up; exec sleep 1000'\"\nready = \"log:up\"\n"})
	in.Start()
	in.Stop() // by then all is in the log
	text, err := os.ReadFile(in.Log)
	if err != nil {
		t.Fatal(err)
	}
	at := func(what string) int {
		i := strings.Index(string(text), what)
		if i < 0 {
			t.Errorf("the log does not tell that %s", what)
		}
		return i
	}
	up := at("slow out up")
	if at("sandbox math is starting") < up {
		t.Error("the worker did not wait for what it needs")
	}
	if waited := at("sandbox web is starting") > up; waited != single(in) {
		t.Errorf("a worker that needs nothing waited: %v", waited)
	}
}

func showInstances(t *testing.T, in *hosttest.Instance) {
	in.Configure(hosttest.Settings{Extra: "\n[worker.web]\ninstances = 3\n"})
	in.Start()
	places := sandbox(t, in, "web").Instances
	if want := map[bool]int{true: 1, false: 3}[single(in)]; len(places) != want {
		t.Errorf("web runs in %d processes, want %d", len(places), want)
	}
	warning := "worker web: instances = 3 has no effect in single mode"
	if got := in.Run("check"); got.Code != 0 || strings.Contains(got.Stdout, warning) != single(in) {
		t.Errorf("check: %v", got)
	}
	if log, err := os.ReadFile(in.Log); err != nil || strings.Contains(string(log), warning) != single(in) {
		t.Errorf("the log: %v\n%s", err, log)
	}
}

func showGeneration(t *testing.T, in *hosttest.Instance) {
	in.Start()
	web, math := pidOf(t, in, "web"), pidOf(t, in, "math")
	if got := in.Run("reload", "web"); got.Code != 0 {
		t.Fatal(got)
	}
	if pidOf(t, in, "web") == web {
		t.Error("web runs where it ran")
	}
	if (pidOf(t, in, "math") != math) != single(in) {
		t.Errorf("math ran in %d and runs in %d", math, pidOf(t, in, "math"))
	}
	generation := sandbox(t, in, "math").Instances[0].Generation
	if want := map[bool]int{true: 2, false: 1}[single(in)]; generation != want {
		t.Errorf("math is in generation %d, want %d", generation, want)
	}
	in.Install(hosttest.Build{Label: "second"})
	result := reload(t, in, "web")
	if now := in.Info().Build.ID; (now == result.Build.ID) != single(in) {
		t.Errorf("the master is build %s after a reload of web to %s", now, result.Build.ID)
	}
	if (len(result.Remarks) == 0) != single(in) {
		t.Errorf("remarks: %q", result.Remarks)
	}
	checkAllRun(t, in, reload(t, in))
}

// reload reloads and fails the test unless that was committed.
func reload(t *testing.T, in *hosttest.Instance, names ...string) ctl.ReloadResult {
	t.Helper()
	result, err := in.Reload(t.Context(), ctl.ReloadRequest{Names: names})
	if err != nil || result.Outcome != "committed" {
		t.Fatalf("the reload of %q: %+v, %v", names, result, err)
	}
	return result
}

// checkAllRun: who was told that everything was reloaded finds the new build
// everywhere, and in the master.
func checkAllRun(t *testing.T, in *hosttest.Instance, to ctl.ReloadResult) {
	t.Helper()
	if now := in.Info().Build.ID; now != to.Build.ID || len(to.Remarks) > 0 {
		t.Errorf("the master is build %s after a reload to %s, which remarks %q", now, to.Build.ID, to.Remarks)
	}
	for _, w := range in.Inspect().Workers {
		if w.State == "serving" && w.Build != to.Build.ID {
			t.Errorf("worker %s is build %s after a reload to %s", w.Name, w.Build, to.Build.ID)
		}
	}
}

func showUpgrade(t *testing.T, in *hosttest.Instance) {
	in.Start()
	master, web, before := in.Info().Pid, pidOf(t, in, "web"), in.Info().Build.ID
	in.Install(hosttest.Build{Label: "second"})
	got := in.Run("upgrade")
	if got.Code != 0 || !strings.HasPrefix(got.Stdout, "app is upgraded: build ") {
		t.Errorf("upgrade: %v", got)
	}
	if now := in.Info().Build.ID; now == before || !strings.Contains(got.Stdout, now) {
		t.Errorf("the master was build %s and is %s: %v", before, now, got)
	}
	if now := in.Info().Pid; (now != master) != single(in) {
		t.Errorf("the pid was %d and is %d", master, now)
	}
	if now := pidOf(t, in, "web"); (now != web) != single(in) {
		t.Errorf("web ran in %d and runs in %d", web, now)
	}
	if done := in.Info().Reloads.Done; done != map[bool]int{true: 1, false: 0}[single(in)] {
		t.Errorf("%d reloads were done", done)
	}
}

// showOverlap: one request is held in each of four generations.
func showOverlap(t *testing.T, in *hosttest.Instance) {
	in.Start()
	var requests []*held
	for i := range 3 {
		requests = append(requests, hold(t, in))
		if single(in) && i == 1 {
			break
		}
		in.MustReload(hosttest.Build{Label: "build" + itoa(i)})
	}
	if single(in) {
		reload := begin(t, in, in.Binary, "reload")
		if within(500*time.Millisecond, reload.hasEnded) {
			t.Errorf("the reload did not wait:\n%s", reload.out.String())
		}
		requests[0].release()
		if code := reload.wait(); code != 0 {
			t.Errorf("the reload ends with code %d:\n%s", code, reload.out.String())
		}
		requests[1].release()
		return
	}
	draining := 0
	for _, w := range in.Inspect().Workers {
		if w.Name == "web" && w.State == "draining" {
			draining++
		}
	}
	if draining != 3 {
		t.Errorf("%d generations drain", draining)
	}
	for _, r := range requests {
		r.release()
	}
}

func showEvents(t *testing.T, in *hosttest.Instance) {
	in.Start()
	worker := pidOf(t, in, "web")
	in.MustReload(hosttest.Build{Label: "second"})
	waitFor(t, "the former process to end", func() bool { return !alive(worker) })
	drained := func() bool {
		return slices.ContainsFunc(eventsOf(t, in), func(e ctl.Event) bool {
			return e.Kind == "worker_state" && e.Data["generation"] == "1" && e.Data["to"] == "gone"
		})
	}
	if single(in) {
		if drained() {
			t.Error("the end of the former process is in the events")
		}
		return
	}
	waitFor(t, "the events of the end", drained)
}

func showOutput(t *testing.T, in *hosttest.Instance) {
	in.Start()
	in.Install(hosttest.Build{Label: "bad", Fault: "exit"})
	got := in.Run("reload")
	lines := map[bool]string{true: " err faulty says goodbye\n", false: "  | faulty says goodbye\n"}[single(in)]
	if got.Code != 1 || !strings.Contains(got.Stderr, lines) {
		t.Errorf("reload: %v\nwant exit code 1 and %q", got, lines)
	}
}

func showCrash(t *testing.T, in *hosttest.Instance) {
	now := filepath.Join(t.TempDir(), "now")
	in.Configure(hosttest.Settings{Fault: "die", When: now})
	p := foreground(t, in)
	if err := os.WriteFile(now, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if single(in) {
		if code := p.wait(); code != 3 { // with which package app ends itself
			t.Errorf("it ends with code %d", code)
		}
		in.Configure(hosttest.Settings{})
		in.Start()
		return
	}
	math := pidOf(t, in, "math")
	waitFor(t, "two crashes", func() bool {
		return slices.ContainsFunc(in.Inspect().Workers, func(w ctl.Worker) bool { return w.Restarts >= 2 && w.Error == "exit status 3" })
	})
	if now := pidOf(t, in, "math"); now != math {
		t.Errorf("math ran in %d and runs in %d", math, now)
	}
}

func showKilledMaster(t *testing.T, in *hosttest.Instance) {
	in.Start()
	request, address, worker := hold(t, in), in.Addr("web", "tcp"), pidOf(t, in, "web")
	kill(t, in.Info().Pid, syscall.SIGKILL)
	waitFor(t, "the end of the master", func() bool { return !in.Running() })
	if _, err := get(t.Context(), address, "/"); (err != nil) != single(in) {
		t.Errorf("without a master, web answers with %v", err)
	}
	in.Start()
	if now := pidOf(t, in, "web"); (now != worker) != single(in) {
		t.Errorf("web ran in %d and runs in %d", worker, now)
	}
	if single(in) {
		request.cut()
	} else {
		request.release()
	}
}

func showLauncher(t *testing.T, in *hosttest.Instance) {
	w := inTerminal(t, in, in.Binary, "start")
	w.says("ready")
	if pid := in.Info().Pid; (pid != w.cmd.Process.Pid) != single(in) {
		t.Errorf("the process that was started is %d, the master %d", w.cmd.Process.Pid, pid)
	}
	// Without a terminal there is none in either mode.
	in.Stop()
	w.wait()
	p := foreground(t, in)
	if pid := in.Info().Pid; pid != p.cmd.Process.Pid {
		t.Errorf("without a terminal, the process that was started is %d, the master %d", p.cmd.Process.Pid, pid)
	}
}
