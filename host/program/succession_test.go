//go:build linux

package program_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/program"
	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/internal/standin"
)

// masterOf keeps the programs that its first argument names a file of, writes what
// another master has to know into the second one, and is killed.
func masterOf(args []string) error {
	var programs []config.Program
	text, err := os.ReadFile(args[0])
	if err == nil {
		err = json.Unmarshal(text, &programs)
	}
	if err != nil {
		return err
	}
	owner := group.New(context.Background(), nil)
	set, err := program.New(program.Options{
		Spawner: supervise.New(supervise.Options{}), Group: owner, Environ: inherit.Scrub(os.Environ()),
	})
	if err != nil {
		return err
	}
	for _, r := range set.Apply(context.Background(), programs, nil, nil, nil) {
		if r.Err != nil {
			return r.Err
		}
	}
	if text, err = json.Marshal(set.Records()); err == nil {
		err = os.WriteFile(args[1], text, 0o600)
	}
	if err != nil {
		return err
	}
	return syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

// TestAnotherMasterGoesOn: a master is killed, and the next one keeps what it kept.
func TestAnotherMasterGoesOn(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, what any) string {
		text, err := json.Marshal(what)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	talker := shell("talker", `n=0; while :; do n=$((n+1)); echo "line $n"; sleep 0.05; done`)
	talker.Instances = 2
	mortal := shell("mortal", `echo "$$" >"$1"; exec sleep 1000`, filepath.Join(dir, "mortal.pid"))
	definitions, records := write("programs", []config.Program{talker, mortal}), filepath.Join(dir, "records")

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	master := exec.Command(self, definitions, records)
	master.Env = standin.Environ("master")
	if out, err := master.CombinedOutput(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the master: %v: %s", err, out)
	}
	var r program.Records
	text, err := os.ReadFile(records)
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	// This one ends while nobody looks.
	pid := readPids(filepath.Join(dir, "mortal.pid"))[0]
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}

	k := keep(t, nil)
	if err := k.Restore(r, nil); err != nil {
		t.Fatal(err)
	}
	k.Thaw()
	k.until("mortal is started again", func() bool { return k.status("mortal").Instances[0].Generation == 2 })
	for i, want := range r.Programs[0].Instances {
		if got := k.status("talker").Instances[i]; got.Pid != want.Runs[0].Process.Pid || got.State != program.Ready {
			t.Errorf("got %+v, want pid %d", got, want.Runs[0].Process.Pid)
		}
	}
	was := len(k.lines("talker"))
	k.until("they write on", func() bool { return len(k.lines("talker")) > was+5 })
	if !slices.ContainsFunc(k.lines("talker"), func(line string) bool { return strings.HasPrefix(line, "line ") }) {
		t.Errorf("they write %q", k.lines("talker"))
	}
	if results := k.Apply(t.Context(), []config.Program{talker, mortal}, nil, nil, nil); len(results) != 0 {
		t.Errorf("the same configuration touched %+v", results)
	}
	pid = k.status("talker").Instances[1].Pid
	began := time.Now()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	k.until("talker is started again", func() bool {
		i := k.status("talker").Instances[1]
		return i.Generation == 2 && i.State == program.Ready
	})
	t.Log("back after", time.Since(began))
	fine(t, k.Stop(t.Context(), []string{"talker"}))
}
