package hosttest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/host/hosttest"
	"github.com/dserver/dserver/internal/proc"
)

// badPrograms are configurations that no master may accept, each with the key and
// the reason that the user is told.
func badPrograms() [][2]string {
	const ok = "command = \"sleep 1\"\n"
	return [][2]string{
		{"[program.x]\n", "program.x: command is missing"},
		{"[program.x]\ncommand = \"\"\n", "program.x.command"},
		{"[program.x]\ncommand = \"no-such-thing\"\n", "there is no executable no-such-thing"},
		{"[program.x]\ncommand = \"./here.txt\"\n", "program.x.command"},
		{"[program.x]\ncommand = \"echo a | cat\"\n", "|"},
		{"[program.x]\ncommand = \"sleep 'x\"\n", "program.x.command"},
		{"[program.x]\n" + ok + "comand = 1\n", "did you mean command?"},
		{"[program.x]\n" + ok + "autorestart = true\n", "restart"},
		{"[program.x]\n" + ok + "instances = -1\n", "program.x.instances = -1"},
		{"[program.x]\n" + ok + "instances = 99999\n", "program.x.instances = 99999"},
		{"[program.x]\n" + ok + "instances = \"two\"\n", "program.x.instances"},
		{"[program.x]\n" + ok + "needs = [\"nobody\"]\n", "nobody"},
		{"[program.x]\n" + ok + "needs = [\"x\"]\n", "program.x.needs"},
		{"[program.x]\n" + ok + "needs = [\"y\"]\n[program.y]\n" + ok + "needs = [\"x\"]\n", "needs"},
		{"[program.x]\n" + ok + "needs = { y = \"done\" }\n[program.y]\n" + ok, "program.x.needs.y"},
		{"[program.x]\n" + ok + "group = \"none\"\n", "program.x.group"},
		{"[program.x]\n" + ok + "user = \"nobody-at-all\"\n", "program.x.user"},
		{"[program.x]\n" + ok + "umask = \"999\"\n", "program.x.umask"},
		{"[program.x]\n" + ok + "nice = 40\n", "program.x.nice = 40"},
		{"[program.x]\n" + ok + "rlimits = { files = 3 }\n", "program.x.rlimits.files"},
		{"[program.x]\n" + ok + "rlimits = { nofile = \"9:3\" }\n", "program.x.rlimits.nofile"},
		{"[program.x]\n" + ok + "memory = \"lots\"\n", "program.x.memory"},
		{"[program.x]\n" + ok + "cpu = -1\n", "program.x.cpu"},
		{"[program.x]\n" + ok + "ready = \"soon\"\n", "program.x.ready"},
		{"[program.x]\n" + ok + "ready = \"log:(\"\n", "program.x.ready"},
		{"[program.x]\n" + ok + "ready = \"exec:no-such-thing\"\n", "program.x.ready"},
		{"[program.x]\n" + ok + "listen = \"tcp://127.0.0.1:1\"\nready = \"tcp://127.0.0.1:1\"\n", "program.x.ready"},
		{"[program.x]\n" + ok + "listen = \"tcp://127.0.0.1:1\"\n[program.y]\n" + ok + "listen = \"tcp://127.0.0.1:1\"\n", "listen"},
		{"[program.x]\n" + ok + "stop = [\"TREM 1s\"]\n", "program.x.stop"},
		{"[program.x]\n" + ok + "stop = [\"TERM soon\"]\n", "program.x.stop"},
		{"[program.x]\n" + ok + "reload = \"signal:NOPE\"\n", "program.x.reload"},
		{"[program.x]\n" + ok + "restart = \"maybe\"\n", "program.x.restart"},
		{"[program.x]\n" + ok + "start_timeout = 3\n", "program.x.start_timeout = 3"},
		{"[program.x]\n" + ok + "dir = \"nowhere\"\n", "program.x.dir"},
		{"[program.x]\n" + ok + "env_files = [\"nowhere\"]\n", "program.x.env_files"},
		{"[program.x]\n" + ok + "secrets = { A = \"nowhere\" }\n", "program.x.secrets.A"},
		{"[program.x]\n" + ok + "env = { \"A=B\" = \"1\" }\n", "program.x.env"},
		{"[program.x]\n" + ok + "log_file = \"nowhere/at/all.log\"\n", "program.x.log_file"},
		{"[program.master]\n" + ok, "program.master"},
		{"[program.\"a b\"]\n" + ok, "a b"},
		{"[program.x]\n" + ok + "[group.x]\n", "x"},
	}
}

// A configuration that is wrong is refused before anything is touched: by check,
// by start, and by a reload, after which all runs on.
func TestBadProgramsAreRefused(t *testing.T) {
	const good = "\n[program.good]\ncommand = \"sleep 1000\"\n[program.other]\ncommand = \"sleep 1000\"\n"
	hosttest.EachSupervisor(t, func(t *testing.T, in *hosttest.Instance) {
		in.Write("here.txt", "no program", 0o644)
		in.Configure(hosttest.Settings{Extra: good})
		in.Start()
		before, info := pidsOf(in, "good", "other"), in.Info()
		for i, bad := range badPrograms() {
			in.Configure(hosttest.Settings{Extra: good + bad[0]})
			var verbs []string
			if in.Mode == "multi" { // to check knows no mode
				verbs = append(verbs, "check")
			}
			if i%8 == 0 { // a reload does what check does
				verbs = append(verbs, "reload")
				info.Reloads.Failed++
			}
			for _, verb := range verbs {
				if r := in.Run(verb); r.Code != 1 || !strings.Contains(r.Stderr, bad[1]) {
					t.Errorf("%s accepts, or does not tell %q of\n%s\n%v", verb, bad[1], bad[0], r)
				}
			}
		}
		if after := pidsOf(in, "good", "other"); !slices.Equal(after, before) {
			t.Errorf("processes are %v, they were %v", after, before)
		}
		if got := in.Info(); got != info {
			t.Errorf("the master is %+v, it was %+v", got, info)
		}
		in.Stop()
		if r := in.Command(in.Binary, "start", "-d"); r.Code != 1 || in.Running() {
			t.Errorf("a start with a bad configuration: %v", r)
		}
		in.AssertGone()
	})
}

// A reload touches what has changed, and nothing else.
func TestReloadTouchesWhatHasChanged(t *testing.T) {
	hosttest.EachSupervisor(t, func(t *testing.T, in *hosttest.Instance) {
		program := func(name, more string) string {
			return fmt.Sprintf("\n[program.%s]\ncommand = \"sleep 1000\"\n%s\n", name, more)
		}
		rest := program("same", "listen = \"unix://same.sock\"\nready = \"started\"\nenv = { A = \"1\" }") + program("policy", "") +
			program("number", "instances = 2") + program("quiet", "reload = \"none\"") + program("gone", "") + program("env", "") + program("stopped", "")
		in.Configure(hosttest.Settings{Extra: rest})
		in.Start()
		mustRun(t, in, "stop", "stopped")
		unchanged := []string{"same", "policy", "number", "quiet"}
		before, env, gone := pidsOf(in, unchanged...), in.Pids("env")[0], in.Pids("gone")[0]
		mustRun(t, in, "reload")
		if after := append(pidsOf(in, unchanged...), in.Pids("env")[0]); !slices.Equal(after, append(before, env)) {
			t.Errorf("a reload of the same changed processes from %v to %v", append(before, env), after)
		}
		in.Configure(hosttest.Settings{Extra: program("new", "") +
			program("same", "listen = \"unix://same.sock\"\nready = \"started\"\nenv = { A = \"1\" }") +
			program("policy", "restart = \"always\"\nstart_limit = 3\nstop = [\"INT 1s\"]\nready = \"exec:true\"") + program("number", "instances = 3") +
			program("quiet", "reload = \"none\"\nenv = { A = \"2\" }") + program("env", "env = { A = \"3\" }") + program("stopped", "env = { A = \"4\" }")})
		plan := in.Run("reload", "--dry-run")
		for _, want := range []string{"program new: new", "program gone: removed", "program policy: restart ", "program number: instances 2 -> 3", "program env: env"} {
			if plan.Code != 0 || !strings.Contains(plan.Stdout, want) {
				t.Errorf("the plan does not tell %q: %v", want, plan)
			}
		}
		if strings.Contains(plan.Stdout, "program same") {
			t.Errorf("the plan tells of what is the same: %v", plan)
		}
		mustRun(t, in, "reload")
		if after := pidsOf(in, unchanged...); !slices.Equal(after, before) {
			t.Errorf("processes of %v are %v, they were %v", unchanged, after, before)
		}
		in.AwaitProgram("new", "ready")
		checkStates(t, in, "new ready", "same ready", "policy ready", "number ready", "quiet ready", "env ready", "stopped stopped")
		if got := in.Pids("env")[0]; got == env || len(in.Pids("number")) != 3 {
			t.Errorf("env has process %d (was %d), number %v", got, env, in.Pids("number"))
		}
		if proc.Alive(gone) {
			t.Error("what was removed runs still")
		}
		// Only now the changed policy is seen: an end without failure is no end.
		kill(t, in.Pids("policy")[0])
		in.Until("a restart", func() bool { return in.Pids("policy")[0] != before[1] && in.Pids("policy")[0] != 0 })
	})
}

// A definition that does not work goes back, also when it is one of several
// instances that fails; the plan of the next reload knows.
func TestReloadThatFailsGoesBack(t *testing.T) {
	hosttest.EachSupervisor(t, func(t *testing.T, in *hosttest.Instance) {
		program := func(command string) hosttest.Settings {
			return hosttest.Settings{Probation: 2 * time.Second, Extra: fmt.Sprintf(`
[program.replaced]
command   = [%[1]s]
instances = 3
reload    = "replace"
[program.restarted]
command   = [%[1]s]
instances = 2
[program.other]
command = "sleep 1000"
`, command)}
		}
		in.Configure(program(`"sleep", "1000"`))
		in.Start()
		other, kept := in.Pids("other"), in.Pids("replaced")
		in.Configure(program(`"sh", "-c", "echo it fails; exit 3"`))
		r := in.Run("reload")
		for _, want := range []string{"program replaced", "program restarted", "exit status 3", "back to what it was"} {
			if r.Code != 1 || !strings.Contains(r.Stderr, want) {
				t.Errorf("the reload does not tell %q: %v", want, r)
			}
		}
		for _, name := range []string{"replaced", "restarted", "other"} {
			in.AwaitProgram(name, "ready")
		}
		if got := in.Pids("replaced"); !slices.Equal(got, kept) {
			t.Errorf("what serves has processes %v now, it had %v", got, kept)
		}
		if got := in.Pids("other"); !slices.Equal(got, other) {
			t.Errorf("what was not changed has processes %v now, it had %v", got, other)
		}
		if plan := in.Run("reload", "--dry-run"); !strings.Contains(plan.Stdout, "program replaced: command") {
			t.Errorf("the next plan does not tell that it runs on the old definition: %v", plan)
		}
		in.Configure(program(`"sleep", "1000"`))
		if plan := in.Run("reload", "--dry-run"); plan.Code != 0 || strings.Contains(plan.Stdout, "program replaced") {
			t.Errorf("the plan of going back: %v", plan)
		}
	})
}
