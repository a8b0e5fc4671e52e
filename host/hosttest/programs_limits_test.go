package hosttest_test

import (
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/user"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/dserver/dserver/host/hosttest"
)

//go:embed testdata/limits.py
var limitsScript string

// limit is something that a process is kept to, and how that is seen.
type limit struct {
	name     string
	settings string // keys of a program or a worker
	attempt  string // see testdata/limits.py
	check    func(t *testing.T, who, answer string)
	root     bool // only root may say so
}

// says checks that an answer has some fields.
func says(fields ...string) func(t *testing.T, who, answer string) {
	return func(t *testing.T, who, answer string) {
		t.Helper()
		for _, f := range fields {
			if !strings.Contains(" "+answer+" ", " "+f+" ") {
				t.Errorf("%s says %q, want %q", who, answer, f)
			}
		}
	}
}

// atMost checks the first number of an answer.
func atMost(most int) func(t *testing.T, who, answer string) {
	return func(t *testing.T, who, answer string) {
		t.Helper()
		n, err := strconv.Atoi(regexp.MustCompile(`\d+`).FindString(answer))
		if err != nil || n > most {
			t.Errorf("%s says %q, want at most %d", who, answer, most)
		}
	}
}

// limits are those that a process meets and lives with; see also the tests of
// memory.
func limits() []limit {
	list := []limit{
		{name: "umask", settings: `umask = "027"`, attempt: "show", check: says("umask=027")},
		{name: "no_new_privs", settings: `no_new_privs = true`, attempt: "show", check: says("no_new_privs=1")},
		{name: "nice", settings: `nice = 7`, attempt: "show", check: says("nice=7")},
		{name: "oom_score_adj", settings: `oom_score_adj = 321`, attempt: "show", check: says("oom=321")},
		{name: "rlimits", settings: `rlimits = { nofile = "60:60" }`, attempt: "files", check: atMost(60)},
		{name: "pids", settings: `pids = 30`, attempt: "processes", check: atMost(30)},
		{name: "cpu", settings: `cpu = 0.25`, attempt: "cpu", check: atMost(900)},
	}
	if nobody, err := user.Lookup("nobody"); err == nil {
		list = append(list, limit{name: "user", settings: `user = "nobody"`, attempt: "show", root: true,
			check: says("uid="+nobody.Uid, "gid="+nobody.Gid, "home="+nobody.HomeDir)})
	}
	return list
}

// skipUnlessEnforced skips a test, by what the master says, of a limit that the
// system does not enforce here.
func skipUnlessEnforced(t *testing.T, in *hosttest.Instance, name string) {
	t.Helper()
	if lack := regexp.MustCompile(`\b` + name + ` is not enforced: .*`).FindString(in.Run("logs", "-n", "all").Stdout); lack != "" {
		t.Skip(lack)
	}
}

// admit lets other users into the folder of an instance.
func admit(t *testing.T, in *hosttest.Instance) {
	t.Helper()
	if err := os.Chmod(in.Folder, 0o755); err != nil {
		t.Fatal(err)
	}
}

// Each limit of a program is tried by a program that wants more.
func TestLimitsOfPrograms(t *testing.T) {
	python := tool(t, "python3")
	for _, l := range limits() {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			if l.root && os.Getuid() != 0 {
				t.Skipf("only root can set %s", l.name)
			}
			in := hosttest.NewSupervisor(t, "multi")
			admit(t, in)
			in.Write("limits.py", limitsScript, 0o644)
			in.Configure(hosttest.Settings{Extra: fmt.Sprintf("\n[program.a]\ncommand = [%q, \"limits.py\", %q]\nrestart = \"no\"\n%s\n",
				python, l.attempt, l.settings)})
			in.Start()
			skipUnlessEnforced(t, in, l.name)
			if p := in.AwaitProgram("a", "exited", "fatal"); p.State != "exited" {
				t.Fatalf("it is %s: %+v", p.State, p.Instances)
			}
			l.check(t, "the program", strings.TrimSpace(in.Output("a")))
		})
	}
}

// The same limits hold for workers.
func TestLimitsOfWorkers(t *testing.T) {
	for _, l := range limits() {
		t.Run(l.name, func(t *testing.T) {
			if l.root && os.Getuid() != 0 {
				t.Skipf("only root can set %s", l.name)
			}
			in := hosttest.New(t, "multi")
			admit(t, in)
			in.Configure(hosttest.Settings{Extra: "\n[worker.web]\n" + l.settings + "\n"})
			in.Start()
			skipUnlessEnforced(t, in, l.name)
			answer, err := attempt(in, l.attempt)
			if err != nil {
				t.Fatal(err)
			}
			l.check(t, "the worker", answer)
			checkBuild(t, in, "first") // it serves on
		})
	}
}

// attempt asks the worker web to try something.
func attempt(in *hosttest.Instance, name string) (answer string, err error) {
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := fresh.Get("http://" + in.Addr("web", "tcp") + "/limits/" + name)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return strings.TrimSpace(string(text)), err
}

// A program that uses more memory than it may is killed, and that is told as the
// cause. One that only comes near gets a new process in good time.
func TestMemoryOfPrograms(t *testing.T) {
	python := tool(t, "python3")
	in := hosttest.NewSupervisor(t, "multi")
	in.Write("limits.py", limitsScript, 0o644)
	in.Configure(hosttest.Settings{Extra: fmt.Sprintf(`
[program.greedy]
command = [%[1]q, "limits.py", "memory"]
restart = "no"
memory  = "64MiB"

[program.near]
command     = [%[1]q, "-c", "import time; x = b'x' * (96 << 20); time.sleep(1000)"]
memory_high = "48MiB"
`, python)})
	in.Start()
	skipUnlessEnforced(t, in, "memory")
	p := in.AwaitProgram("greedy", "fatal", "exited")
	if reason := p.Instances[0].Reason; p.State != "fatal" || !strings.Contains(reason, "killed (out of memory)") {
		t.Errorf("it is %s: %q", p.State, reason)
	}
	if out := in.Output("greedy"); strings.Contains(out, "allocated") {
		t.Errorf("it got all it wanted: %s", out)
	}
	in.Until("what comes near its limit to be renewed", func() bool { return in.Program("near").Instances[0].Generation > 1 })
	in.Stop()
	in.AssertGone()
}

// A worker likewise, and it is started again.
func TestMemoryOfWorkers(t *testing.T) {
	in := hosttest.New(t, "multi")
	in.Configure(hosttest.Settings{Extra: "\n[worker.web]\nmemory = \"256MiB\"\n"})
	in.Start()
	skipUnlessEnforced(t, in, "memory")
	before := processesOf(in)
	if answer, err := attempt(in, "memory"); err == nil {
		t.Errorf("it got all it wanted: %s", answer)
	}
	in.Until("the worker to be back", func() bool {
		now := processesOf(in)
		return now["web"] != "" && now["web"] != before["web"]
	})
	if now := processesOf(in); now["math"] != before["math"] || now["shop"] != before["shop"] {
		t.Errorf("others were touched: %v, before %v", now, before)
	}
	in.Stop()
	in.AssertGone()
	if !strings.Contains(rawFile(t, in.Log), "(out of memory)") {
		t.Error("the log does not tell why")
	}
}
