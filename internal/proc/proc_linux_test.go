package proc

import (
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestStatOfAnyName(t *testing.T) {
	rest := " S 7 8 9 0 -1 4194304 100 0 0 0 1 2 0 0 20 0 1 0 123456789 0 0 0 4096 8192" + strings.Repeat(" 0", 22) + " 139000 140000 256"
	want := Stat{State: 'S', Parent: 7, Group: 8, Session: 9, Ticks: 123456789, Environ: 1000, Code: 256}
	for _, name := range []string{"cat", "a b", ") Z 1 1 1", "(((", "\n", ""} {
		if got, err := parseStat([]byte("42 (" + name + ")" + rest)); err != nil || got != want {
			t.Errorf("%q: %+v, %v", name, got, err)
		}
	}
	if got, err := parseStat([]byte("42 (cat)" + rest[:len(rest)-11])); err != nil || got.Code != 0 || got.Environ != -1 {
		t.Errorf("an old system: %+v, %v", got, err)
	}
}

func TestStatOfOurselves(t *testing.T) {
	got, err := ReadStat(os.Getpid())
	if err != nil || got.Parent != os.Getppid() || got.Group != syscall.Getpgrp() || got.Gone() || got.Ticks == 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := ReadStat(1 << 30); err == nil {
		t.Error("a process that does not exist has a state")
	}
}

func FuzzParseStat(f *testing.F) {
	for _, text := range []string{"", ")", "1 (a) S", "1 (a) S x y z" + strings.Repeat(" 1", 50), "1 (a) S 1 2 3" + strings.Repeat(" -1", 50)} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if s, err := parseStat(line); err != nil && !reflect.DeepEqual(s, Stat{}) {
			t.Errorf("%+v beside %v", s, err)
		}
	})
}

func TestLongFilesAreReadWhole(t *testing.T) {
	name := t.TempDir() + "/long"
	text := strings.Repeat("0123456789", 10_000)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := readWhole(name, make([]byte, 10)); err != nil || string(got) != text {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestAChildIsSeen looks at a child from its birth to its burial.
func TestAChildIsSeen(t *testing.T) {
	cmd := exec.Command("/bin/cat")
	cmd.Env = []string{"A=1=2", "EMPTY=", "INVOCATION=no", "LAST=" + strings.Repeat("x", 10_000)}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	if !Alive(pid) || Parent(pid) != os.Getpid() || !slices.Contains(Children(os.Getpid()), pid) || !slices.Contains(Pids(), pid) {
		t.Errorf("alive %v, parent %d, children of ours %v", Alive(pid), Parent(pid), Children(os.Getpid()))
	}
	var buf []byte
	for name, want := range map[string]string{"A": "1=2", "EMPTY": "", "INVOCATION_ID": "", "LAST": strings.Repeat("x", 10_000), "": ""} {
		var got string
		var becoming bool
		if got, becoming, buf = Variable(pid, name, buf); got != want || becoming {
			t.Errorf("%s: %q, becoming %t", name, got, becoming)
		}
	}
	in.Close()
	if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if s, err := ReadStat(pid); err != nil || s.State != 'Z' || Alive(pid) {
		t.Errorf("it has exited, and is %+v, %v", s, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if value, becoming, _ := Variable(pid, "A", buf); Alive(pid) || Parent(pid) != 0 || len(Children(pid)) > 0 || value != "" || becoming {
		t.Errorf("it is gone, and alive %v, with the parent %d", Alive(pid), Parent(pid))
	}
}
