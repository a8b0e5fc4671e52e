package conformance

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dserver/dserver/host/hosttest"
)

// TestSeveralInstances runs two side by side: who does not say which one is asked
// to, and nothing is guessed.
func TestSeveralInstances(t *testing.T) {
	folder := shortFolder(t)
	dserver := filepath.Join(folder, "dserver")
	if out, err := exec.Command("go", "build", "-o", dserver, "github.com/dserver/dserver/cmd/dserver").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	env := []string{"DSERVER_RUNTIME_DIR=" + filepath.Join(folder, "run")}
	demo := append([]string{"DSERVER_SANDBOX__WEB__LISTEN=tcp://127.0.0.1:0", "DSERVER_SANDBOX__MATH__LISTEN=tcp://127.0.0.1:0"}, env...)
	verb := func(want int, env []string, line string) hosttest.Result {
		t.Helper()
		got := oneVerb(t, folder, env, dserver, strings.Fields(line)...)
		if got.Code != want {
			t.Errorf("%s: %v\nwant exit code %d", line, got, want)
		}
		return got
	}
	verb(3, env, "status")
	t.Cleanup(func() {
		for _, name := range []string{"one", "two"} {
			oneVerb(t, folder, env, dserver, "stop", "--name", name) // 3 if the test went well
		}
	})
	verb(0, demo, "start --demo -d --name one")
	if got := verb(0, env, "status"); !strings.HasPrefix(got.Stdout, "one is running: multi mode, ") {
		t.Errorf("the only one is not taken: %v", got)
	}
	verb(0, demo, "start --demo -d --name two --mode single")
	list := regexp.MustCompile(`more than one instance runs: one \(pid \d+\), two \(pid \d+\)`)
	for _, line := range []string{"status", "stop", "quit", "reload", "restart web", "inspect", "logs", "events", "loglevel web info", "ctl status"} {
		got := verb(2, env, line)
		if !list.MatchString(got.Stderr) || !strings.Contains(got.Stderr, "hint: choose one with --name") {
			t.Errorf("%s: %v\nwant the list and what to do", line, got)
		}
	}
	verb(3, env, "status --name three")
	verb(0, env, "reload --name two")
	verb(0, env, "stop --name one")
	if got := verb(0, env, "status"); !strings.HasPrefix(got.Stdout, "two is running: single mode, ") {
		t.Errorf("the one that is left is not taken: %v", got)
	}
	verb(0, env, "stop")
	verb(3, env, "stop")
}
