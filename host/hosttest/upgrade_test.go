package hosttest_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/hosttest"
	"github.com/dserver/dserver/host/hosttest/load"
)

// writers is how many programs count aloud while the master is upgraded.
const writers = 20

// chatter is programs that write numbered lines, each in two pieces, and one that
// ends again and again with the same exit code.
func chatter() string {
	var b strings.Builder
	for i := range writers {
		fmt.Fprintf(&b, "\n[program.writer-%d]\ncommand = \"sh -c 'i=0; while :; do i=$((i+1)); printf num; echo ber $i; sleep 0.01; done'\"\n", i)
	}
	b.WriteString(`
[program.mayfly]
command      = "sh -c 'sleep 0.03; exit 3'"
restart      = "always"
stable       = "1ms"
backoff_min  = "1ms"
backoff_max  = "20ms"
start_limit  = 0
`)
	return b.String()
}

func TestUpgradesLoseNothing(t *testing.T) { upgradesUnderLoad(t, 3) }

// upgradesUnderLoad puts new builds in the place of the master n times while
// clients are at work, programs write and processes end. Nothing is lost.
func upgradesUnderLoad(t *testing.T, n int) {
	in := hosttest.New(t, "multi")
	in.Configure(hosttest.Settings{Extra: chatter()})
	in.Start()
	pid, before := in.Info().Pid, processesOf(in)
	writing := make(map[string]int)
	for i := range writers {
		name := fmt.Sprintf("writer-%d", i)
		writing[name] = in.Pids(name)[0]
	}
	var files, last int
	underLoad(t, in, load.Options{}, func(*load.Load) {
		for i := range n {
			in.Install(hosttest.Build{Label: fmt.Sprintf("build-%d", i)})
			if r := in.Run("upgrade"); r.Code != 0 {
				t.Fatalf("upgrade %d: %v", i+1, r)
			}
			last = checkEnds(t, in, last)
			if i == 0 {
				files = in.Inspect().Runtime.Files
			}
		}
	})
	if info := in.Info(); info.Pid != pid {
		t.Errorf("the master is process %d and was %d", info.Pid, pid)
	}
	if after := processesOf(in); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the workers are %v and were %v", after, before)
	}
	for name, was := range writing {
		if now := in.Pids(name)[0]; now != was {
			t.Errorf("%s is process %d and was %d", name, now, was)
		}
	}
	in.Until(fmt.Sprintf("the master to have no more than %d files open", files), func() bool { return in.Inspect().Runtime.Files <= files })
	in.Stop()
	in.AssertGone()
	checkNumbers(t, in)
}

// checkEnds makes sure that every end of the mayfly is known with its exit code,
// and gives the last generation that has ended.
func checkEnds(t *testing.T, in *hosttest.Instance, last int) int {
	t.Helper()
	for _, run := range in.Program("mayfly").Instances[0].History {
		if run.Code != 3 {
			t.Errorf("run %d of the mayfly ended with %s, want exit status 3", run.Generation, run.Cause)
		}
		last = max(last, run.Generation)
	}
	return last
}

// checkNumbers makes sure that the log has all lines of each writer, once and in
// their order. The last one may be cut short: a writer that is stopped may be
// between its two pieces.
func checkNumbers(t *testing.T, in *hosttest.Instance) {
	t.Helper()
	file, err := os.Open(in.Log)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	seen, cut := make(map[string]int), make(map[string]bool)
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[1], "writer-") || fields[2] != "out" {
			continue
		}
		if cut[fields[1]] {
			t.Errorf("%s goes on with %q after a line that was cut", fields[1], lines.Text())
		}
		if len(fields) == 4 && fields[3] == "num" {
			cut[fields[1]] = true
			continue
		}
		number, err := strconv.Atoi(fields[len(fields)-1])
		if err != nil || fields[3] != "number" || number != seen[fields[1]]+1 {
			t.Errorf("after line %d of %s comes %q", seen[fields[1]], fields[1], lines.Text())
		}
		seen[fields[1]] = number
	}
	if len(seen) != writers {
		t.Errorf("%d writers have written, want %d", len(seen), writers)
	}
}

// A process that a killed master had just started, and no record tells of, is
// ended by the next one; one of somebody else is left alone.
func TestStrangersOfAKilledMasterAreEnded(t *testing.T) {
	hosttest.EachSupervisor(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(hosttest.Settings{Extra: "\n[program.known]\ncommand = \"sleep 1000\"\n"})
		in.Start()
		known := in.Pids("known")[0]
		id := invocation(t, known)
		stranger := asleep(t, id[:16]+strings.Repeat("0", 16))
		other := asleep(t, strings.Repeat("0", 32))
		master := in.Info().Pid
		if err := syscall.Kill(master, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		in.Until("the end of the master", func() bool { return !in.Running() })
		in.Start()
		in.Until("the stranger to end", func() bool { return isZombie(stranger) })
		if isZombie(other) {
			t.Error("a process of somebody else was ended")
		}
		if now := in.Pids("known")[0]; now != known {
			t.Errorf("the program is process %d and was %d", now, known)
		}
		in.Stop()
		in.AssertGone()
	})
}

// invocation is the INVOCATION_ID that a process was given.
func invocation(t *testing.T, pid int) string {
	t.Helper()
	env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range strings.Split(string(env), "\x00") {
		if id, ok := strings.CutPrefix(entry, "INVOCATION_ID="); ok && len(id) == 32 {
			return id
		}
	}
	t.Fatalf("process %d has no INVOCATION_ID", pid)
	return ""
}

// asleep starts a process that does nothing until the test ends. It is our own
// child, so it stays as a zombie when somebody kills it.
func asleep(t *testing.T, invocation string) (pid int) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "sleep", "1000")
	cmd.Env = append(os.Environ(), "INVOCATION_ID="+invocation)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // somebody may have done so
		_ = cmd.Wait()         // it was killed
	})
	return cmd.Process.Pid
}

// isZombie tells whether a child of ours has ended.
func isZombie(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

// A worker that ends too often is given up; reset brings it back. The master ends
// with it if it is essential.
func TestWorkersAreKeptByTheirPolicy(t *testing.T) {
	in := hosttest.New(t, "multi")
	in.Configure(hosttest.Settings{Extra: "\n[worker.web]\nstart_limit = 2\nstart_window = \"1h\"\n[worker.shop]\nrestart = \"no\"\nessential = true\n"})
	in.Start()
	state := func(want string) func() bool {
		return func() bool {
			for _, w := range in.Inspect().Workers {
				if w.Name == "web" {
					return w.State == want
				}
			}
			return false
		}
	}
	kill := func(name string) {
		t.Helper()
		if r := in.Run("signal", name, "KILL"); r.Code != 0 {
			t.Fatalf("signal %s: %v", name, r)
		}
	}
	first := processesOf(in)["web"]
	kill("web")
	in.Until("web to be back", func() bool { now := processesOf(in)["web"]; return now != "" && now != first })
	kill("web")
	in.Until("web to be given up", state("fatal"))
	if r := in.Run("reset", "web"); r.Code != 0 {
		t.Errorf("reset: %v", r)
	}
	in.Until("web to serve again", state("serving"))
	result, err := in.Reload(t.Context(), ctl.ReloadRequest{})
	if err != nil || result.Outcome != "committed" {
		t.Errorf("reload: %+v, %v", result, err)
	}
	kill("shop")
	in.Until("the master to end with its essential worker", func() bool { return !in.Running() })
	in.AssertGone()
}
