package conformance

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dserver/dserver/host/hosttest"
)

// TestStartOfSomeSandboxes: the others stay stopped, also over a reload.
func TestStartOfSomeSandboxes(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		if got := in.Command(in.Binary, "start", "-d", "web"); got.Code != 0 {
			t.Fatal(got)
		}
		check := func(when string, running ...string) {
			t.Helper()
			for _, s := range in.Inspect().Sandboxes {
				want := "stopped"
				if slices.Contains(running, s.Name) {
					want = "ready"
				}
				if s.State != want {
					t.Errorf("%s: %s is %s, want %s", when, s.Name, s.State, want)
				}
			}
		}
		check("after the start", "web")
		in.MustReload(hosttest.Build{Label: "second"})
		check("after a reload", "web")
		if got := in.Run("start", "math"); got.Code != 0 {
			t.Error(got)
		}
		check("after start math", "web", "math")
	})
}

// TestStateFile: what lies there for those who look while nobody answers.
func TestStateFile(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Start()
		in.MustReload(hosttest.Build{Label: "second"})
		text, err := os.ReadFile(filepath.Join(ownFolder(in), "state.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`"pid":` + strconv.Itoa(in.Info().Pid), `"mode":"` + in.Mode + `"`} {
			if !strings.Contains(strings.ReplaceAll(string(text), ": ", ":"), want) {
				t.Errorf("state.json does not have %s:\n%s", want, text)
			}
		}
	})
}
