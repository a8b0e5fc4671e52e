package rundir_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/dserver/dserver/host/rundir"
)

func TestMakeRefusesAFolderThatMayBeAnothers(t *testing.T) {
	tests := []struct {
		name string
		make func(t *testing.T, path string)
		want string
	}{
		{"a link", func(t *testing.T, path string) { check(t, os.Symlink(t.TempDir(), path)) }, "it is a link"},
		{"a dangling link", func(t *testing.T, path string) { check(t, os.Symlink("nowhere", path)) }, "it is a link"},
		{"a file", func(t *testing.T, path string) { check(t, os.WriteFile(path, nil, 0o600)) }, "it is not a folder"},
		{"open to all", func(t *testing.T, path string) {
			check(t, os.Mkdir(path, 0o700))
			check(t, os.Chmod(path, 0o750))
		}, "others may enter it (mode 0750); run: chmod 700"},
		{"a foreign folder", func(t *testing.T, path string) {
			if os.Geteuid() != 0 {
				t.Skip("only root can give a folder away")
			}
			check(t, os.Mkdir(path, 0o700))
			check(t, os.Chown(path, 65534, 65534))
		}, "it belongs to user 65534, not to 0"},
		{"a parent for all", func(t *testing.T, path string) {
			check(t, os.Chmod(filepath.Dir(path), 0o777))
		}, "others may write to it (mode 0777)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := folder(t)
			test.make(t, d.Path)
			for _, err := range []error{d.Make(), second(d.Lock())} {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v, want %q", err, test.want)
				}
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLinksInPlaceOfFilesAreRefused(t *testing.T) {
	victim := filepath.Join(t.TempDir(), "victim")
	check(t, os.WriteFile(victim, []byte("4711"), 0o600))

	d := folder(t)
	check(t, d.Make())
	check(t, os.Symlink(victim, filepath.Join(d.Path, "lock")))
	if _, err := d.Lock(); err == nil {
		t.Error("it locked through a link")
	}
	if _, err := d.Peek(); err == nil {
		t.Error("it looked through a link")
	}

	d = folder(t)
	l := mustLock(t, d)
	defer l.Close()
	for _, name := range []string{"pid", "state.json"} {
		path := filepath.Join(d.Path, name)
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		check(t, os.Symlink(victim, path))
	}
	wantRunning(t, d, 0)
	if err := d.ReadState(new(any)); err == nil {
		t.Error("it read a state through a link")
	}
	check(t, d.WritePid(1))
	check(t, d.WriteState(1))
	if b, err := os.ReadFile(victim); err != nil || string(b) != "4711" {
		t.Errorf("the file behind the link has %q, %v", b, err)
	}
}

func TestFifoInPlaceOfAFileDoesNotBlock(t *testing.T) {
	d := folder(t)
	l := mustLock(t, d)
	defer l.Close()
	check(t, os.Remove(filepath.Join(d.Path, "pid")))
	for _, name := range []string{"pid", "state.json"} {
		check(t, syscall.Mkfifo(filepath.Join(d.Path, name), 0o600))
	}
	wantRunning(t, d, 0)
	if err := d.ReadState(new(any)); err == nil {
		t.Error("it read a state from a fifo")
	}
}

func TestPidFileThatMakesNoSenseIsNoPid(t *testing.T) {
	d := folder(t)
	l := mustLock(t, d)
	defer l.Close()
	for _, text := range []string{"", "x", "-1", "0", "99999999999999999999", strings.Repeat("1", 1000), "1 2"} {
		check(t, os.WriteFile(filepath.Join(d.Path, "pid"), []byte(text), 0o600))
		wantRunning(t, d, 0)
	}
}

func TestStateIsReplacedAsAWhole(t *testing.T) {
	d := folder(t)
	l := mustLock(t, d)
	defer l.Close()
	type state struct{ A, B []byte }
	if err := d.ReadState(new(state)); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
	check(t, d.WriteState(state{}))
	var writers sync.WaitGroup
	for i := range 4 {
		text := []byte(strings.Repeat(string(rune('a'+i)), 1<<i*1000))
		writers.Go(func() {
			for range 50 {
				if err := d.WriteState(state{text, text}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 200 {
		var s state
		if err := d.ReadState(&s); err != nil || string(s.A) != string(s.B) {
			t.Fatalf("got %d and %d bytes, %v", len(s.A), len(s.B), err)
		}
	}
	writers.Wait()
	info, err := os.Stat(filepath.Join(d.Path, "state.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v; want mode 0600", info.Mode(), err)
	}
	if strings.Contains(listing(t, d), ".tmp") {
		t.Errorf("temporary files stay:\n%s", listing(t, d))
	}
}

func TestBrokenStateIsAnError(t *testing.T) {
	d := folder(t)
	l := mustLock(t, d)
	defer l.Close()
	path := filepath.Join(d.Path, "state.json")
	check(t, os.WriteFile(path, []byte(`{"a":`), 0o600))
	if err := d.ReadState(new(any)); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want one that names the file", err)
	}
	check(t, os.Truncate(path, 1<<30))
	if err := d.ReadState(new(any)); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("got %v", err)
	}
	if err := d.WriteState(func() {}); err == nil {
		t.Error("a function was written as a state")
	}
}

func TestFilesAreMadeAgainInAVanishedFolder(t *testing.T) {
	d := folder(t)
	check(t, d.Make())
	check(t, os.RemoveAll(filepath.Dir(d.Path)))
	check(t, d.WriteState(1))
	check(t, os.RemoveAll(filepath.Dir(d.Path)))
	check(t, d.MakeLogs())
	info, err := os.Stat(d.Logs)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("got %v, %v; want mode 0700", info, err)
	}
}

func TestSocketPathHasALimit(t *testing.T) {
	for _, test := range []struct {
		length int
		ok     bool
	}{{107, true}, {108, false}, {300, false}} {
		fill := test.length - len("/") - len("/shop/ctl.sock")
		d, err := rundir.Root{Path: "/" + strings.Repeat("x", fill)}.Dir("shop")
		check(t, err)
		path, err := d.Socket()
		if len(path) != test.length {
			t.Fatalf("the test made a path of %d bytes", len(path))
		}
		if (err == nil) != test.ok {
			t.Errorf("%d bytes: got %v", test.length, err)
		}
		if err != nil && (!strings.Contains(err.Error(), "107") || !strings.Contains(err.Error(), "--runtime-dir")) {
			t.Errorf("%v does not say what to do", err)
		}
	}
}

func TestReservedNames(t *testing.T) {
	for _, name := range []string{"lock", "pid", "state.json", "ctl.sock", "log", "peer", "state.json.1.tmp"} {
		if !rundir.Reserved(name) {
			t.Errorf("%s is not reserved", name)
		}
	}
	if rundir.Reserved("math.sock") {
		t.Error("math.sock is reserved")
	}
}
