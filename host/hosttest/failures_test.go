package hosttest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/hosttest"
	"github.com/dserver/dserver/host/hosttest/load"
)

// refusal is a reload that must not come to anything.
type refusal struct {
	name    string
	prepare func(in *hosttest.Instance)
	outcome string   // rolled_back if something was started
	why     string   // in the error
	output  []string // among the last output lines
	flags   []string // of the verb
	verbWhy string   // in the error of the verb, if that is another one; then it does not ask the master
}

func build(fault, after string) func(*hosttest.Instance) {
	return func(in *hosttest.Instance) {
		in.Install(hosttest.Build{Label: "bad", Fault: fault, After: after})
	}
}

// settings of the instance that refuses: short limits, and all in one process, so
// that what fails takes all with it.
func failing() hosttest.Settings {
	return hosttest.Settings{
		Worker: "one", ReadyTimeout: 3 * time.Second, Probation: 400 * time.Millisecond, StopTimeout: 500 * time.Millisecond,
	}
}

func refusals() []refusal {
	const tried, refused = "rolled_back", "refused"
	return []refusal{
		{name: "exits at once", prepare: build("exit", ""), outcome: tried, why: "start", output: []string{"faulty says goodbye", "faulty ends at once"}},
		{name: "fails to start", prepare: build("error", ""), outcome: tried, why: "failing as told"},
		{name: "panics at once", prepare: build("panic", ""), outcome: tried, why: "as told"},
		{name: "is never ready", prepare: build("never-ready", ""), outcome: tried, why: "not ready", output: []string{"faulty will never be ready"}},
		{name: "dies in probation", prepare: build("die", "150ms"), outcome: tried, why: "probation", output: []string{"faulty says goodbye"}},
		{name: "exits in main", prepare: build("exit-in-main", ""), outcome: refused, why: "ends before it has begun"},
		{name: "unknown key", prepare: func(in *hosttest.Instance) {
			in.ConfigureText("mode = \"" + in.Mode + "\"\nprobatoin = \"1s\"\n")
		}, outcome: refused, why: "probatoin"},
		{name: "no TOML", prepare: func(in *hosttest.Instance) { in.ConfigureText("mode = [") }, outcome: refused, why: "dserver.toml"},
		{name: "no program", prepare: func(in *hosttest.Instance) {
			in.InstallFile([]byte("not a program\n"), 0o755)
		}, outcome: refused, why: "cannot use"},
		{name: "not executable", prepare: func(in *hosttest.Instance) {
			in.Install(hosttest.Build{Label: "bad"})
			in.Chmod(0o644)
		}, outcome: refused, why: "permission denied"},
		{name: "no file", prepare: func(in *hosttest.Instance) { in.Remove() }, outcome: refused, why: "no such file",
			flags: []string{"--binary", "gone"}, verbWhy: "no such file"},
	}
}

func TestReloadFailures(t *testing.T) {
	hosttest.EachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(failing())
		in.Start()
		underLoad(t, in, load.Options{Slow: time.Second}, func(*load.Load) {
			for _, r := range refusals() {
				r.check(t, in)
			}
			in.Configure(failing())
			if result := in.MustReload(hosttest.Build{Label: "good"}); result.Error != "" {
				t.Errorf("a good build after all these: %+v", result)
			}
		})
		checkBuild(t, in, "good")
	})
}

// check reloads by the control API and by the verb and looks whether the instance
// goes on as if nothing had happened.
func (r refusal) check(t *testing.T, in *hosttest.Instance) {
	t.Helper()
	before := in.Info()
	in.Configure(failing())
	in.Install(hosttest.Build{Label: "fine"})
	r.prepare(in)
	result, err := in.Reload(t.Context(), ctl.ReloadRequest{})
	if err != nil {
		t.Fatalf("%s: %v", r.name, err)
	}
	if result.Outcome != r.outcome || !strings.Contains(result.Error, r.why) {
		t.Errorf("%s: the reload was %s, %q; want %s, %q", r.name, result.Outcome, result.Error, r.outcome, r.why)
	}
	output := strings.Join(result.Output, "\n")
	verb := in.Run("reload", r.flags...)
	verbWhy := r.why
	if r.verbWhy != "" {
		verbWhy = r.verbWhy
	}
	if verb.Code != 1 || !strings.Contains(verb.Stderr, verbWhy) {
		t.Errorf("%s: the verb: %v; want code 1, %q", r.name, verb, verbWhy)
	}
	for _, line := range r.output {
		if !strings.Contains(output, line) {
			t.Errorf("%s: the last output is %q, without %q", r.name, output, line)
		}
		if !strings.Contains(verb.Stderr, line) {
			t.Errorf("%s: the verb does not show %q: %v", r.name, line, verb)
		}
	}
	want := before
	want.Reloads.Failed += 2
	if r.verbWhy != "" {
		want.Reloads.Failed--
	}
	if after := in.Info(); after != want {
		t.Errorf("%s: the master has changed from %+v to %+v", r.name, before, after)
	}
	checkBuild(t, in, "first")
}
