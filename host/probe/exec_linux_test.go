package probe_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/probe"
	"github.com/dserver/dserver/internal/proc"
)

func command(script string, args ...string) probe.Check {
	return probe.Check{Kind: probe.Exec, Command: append([]string{"/bin/sh", "-c", script, "sh"}, args...), Env: []string{"PATH=" + os.Getenv("PATH")}}
}

func TestExitCodeIsTheAnswer(t *testing.T) {
	for script, want := range map[string]string{
		"exit 0":                           "",
		"echo fine; exit 0":                "",
		"exit 3":                           "/bin/sh: exit status 3",
		"echo no; echo; exit 1":            "/bin/sh: exit status 1 (it said: no)",
		"echo one; echo two >&2; exit 1":   "/bin/sh: exit status 1 (it said: two)",
		`printf 'a\tb\033[1m\377'; exit 1`: "/bin/sh: exit status 1 (it said: a b [1m)",
		"kill -9 $$":                       "/bin/sh: signal: killed",
		"yes | head -c 10000000; exit 7":   "/bin/sh: exit status 7 (it said: y)",
	} {
		err := prober(t, command(script)).Ask(t.Context())
		if got := errorText(err); got != want {
			t.Errorf("%s: got %q, want %q", script, got, want)
		}
	}
	long := errorText(prober(t, command(`head -c 300 /dev/zero | tr '\0' x; exit 1`)).Ask(t.Context()))
	if !strings.HasSuffix(long, strings.Repeat("x", 200)+"...)") {
		t.Errorf("got %q", long)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestCommandSeesWhatItIsGiven(t *testing.T) {
	c := command(`test "$PWD" = "$DIR" && test "$A" = b && test -z "$HOME" && test "$1" = "two words"`, "two words")
	c.Dir = t.TempDir()
	c.Env = []string{"A=b", "DIR=" + c.Dir}
	t.Setenv("HOME", "/somewhere")
	if err := prober(t, c).Ask(t.Context()); err != nil {
		t.Error(err)
	}
	c.Dir = filepath.Join(c.Dir, "gone")
	if err := prober(t, c).Ask(t.Context()); err == nil || errorText(err) != "/bin/sh: no such file or directory" {
		t.Errorf("got %v", err)
	}
}

// pidsIn reads the numbers that a script wrote to a file.
func pidsIn(t *testing.T, file string) []int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, word := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// expectDead waits a moment: who was killed is not gone at once.
func expectDead(t *testing.T, pids []int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		left := slices.DeleteFunc(slices.Clone(pids), func(pid int) bool { return !proc.Alive(pid) })
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			for _, pid := range left {
				unix.Kill(pid, unix.SIGKILL)
			}
			t.Fatalf("%v of %v live on", left, pids)
		}
	}
}

func TestCommandThatHangsGoesWithItsTree(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pids")
	// One in the group, one in a session of its own, one below that.
	c := command(`sleep 1000 & echo $! >> "$1"
		setsid sh -c 'echo $$ >> "$1"; sleep 1000 & echo $! >> "$1"; wait' sh "$1" &
		while [ "$(wc -l < "$1")" -lt 3 ]; do :; done
		trap '' TERM; echo stuck; wait`, file)
	c.Timeout = 500 * time.Millisecond
	began := time.Now()
	err := prober(t, c).Ask(t.Context())
	if got := errorText(err); got != "/bin/sh: no answer within 500ms (it said: stuck)" {
		t.Errorf("got %q", got)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	pids := pidsIn(t, file)
	if len(pids) != 3 {
		t.Fatalf("got %v", pids)
	}
	expectDead(t, pids)
}

func TestWhatACommandLeavesInItsGroupGoes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pids")
	c := command(`sleep 1000 & echo $! > "$1"; exit 0`, file)
	if err := prober(t, c).Ask(t.Context()); err != nil {
		t.Error(err)
	}
	expectDead(t, pidsIn(t, file))
}

func TestOutputIsNotWaitedForFromOthers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pids")
	c := command(`setsid sh -c 'echo $$ > "$1"; exec sleep 1000' sh "$1" & while ! [ -s "$1" ]; do :; done; exit 4`, file)
	began := time.Now()
	if err := prober(t, c).Ask(t.Context()); errorText(err) != "/bin/sh: exit status 4" {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	for _, pid := range pidsIn(t, file) {
		unix.Kill(pid, unix.SIGKILL)
	}
}

// recorder is a Runner that runs nothing.
type recorder struct {
	got probe.Command
	err error
}

func (r *recorder) Run(_ context.Context, c probe.Command) ([]byte, error) {
	r.got = c
	return []byte("from elsewhere\n"), r.err
}

func TestRunnerCanBeAnother(t *testing.T) {
	r := &recorder{}
	c := command("exit 9")
	c.Runner, c.Dir = r, "/somewhere"
	p := prober(t, c)
	if err := p.Ask(t.Context()); err != nil || r.got.Path != "/bin/sh" || r.got.Dir != "/somewhere" || !slices.Equal(r.got.Args, c.Command) || !slices.Equal(r.got.Env, c.Env) {
		t.Errorf("got %+v, %v", r.got, err)
	}
	r.err = errors.New("out of order")
	if err := p.Ask(t.Context()); !errors.Is(err, r.err) || errorText(err) != "/bin/sh: out of order (it said: from elsewhere)" {
		t.Errorf("got %v", err)
	}
}
