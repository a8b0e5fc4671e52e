package conformance

import (
	"strings"
	"testing"

	"github.com/dserver/dserver/host/hosttest"
)

// TestUpgradeThatIsRefused: each kind of bad build gets the same answer in both modes,
// and the old one goes on.
func TestUpgradeThatIsRefused(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Start()
		before, web := in.Info(), pidOf(t, in, "web")
		for _, c := range []struct {
			name    string
			prepare func()
			args    []string
			says    string
		}{
			{"ends at once", func() { in.Install(hosttest.Build{Label: "bad", Fault: "exit-in-main"}) }, nil, "refuses: this build ends before it has begun"},
			{"no program", func() { in.InstallFile([]byte("no program\n"), 0o755) }, nil, "cannot use "},
			{"a program of somebody else", func() {}, []string{"--binary", "/bin/sh"}, "cannot use /bin/sh as a build: not a Go executable"},
			{"no file", func() {}, []string{"--binary", "/no/such/file"}, "no such file"},
			{"not executable", func() {
				in.Install(hosttest.Build{Label: "bad"})
				in.Chmod(0o644)
			}, nil, "permission denied"},
			{"unknown key", func() {
				in.Install(hosttest.Build{Label: "second"})
				in.ConfigureText("probatoin = \"1s\"\n")
			}, nil, "probatoin"},
		} {
			c.prepare()
			got := in.Run("upgrade", c.args...)
			if got.Code != 1 || !strings.HasPrefix(got.Stderr, "error: cannot ") || !strings.Contains(got.Stderr, c.says) {
				t.Errorf("%s: %v\nwant exit code 1 and %q", c.name, got, c.says)
			}
		}
		after := in.Info()
		after.Reloads = before.Reloads // in single mode it is a reload that fails
		if after != before || pidOf(t, in, "web") != web {
			t.Errorf("the master was %+v and is %+v", before, after)
		}
	})
}
