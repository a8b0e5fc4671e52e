package rundir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhereFoldersLie(t *testing.T) {
	uid := os.Geteuid()
	mine := t.TempDir()
	file := filepath.Join(mine, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	const other = 4242 // a user who owns none of the folders here
	tests := []struct {
		name string
		flag string
		uid  int
		env  string // NAME=VALUE, separated by spaces
		want Root
	}{
		{"root", "", 0, "XDG_RUNTIME_DIR=" + mine + " XDG_STATE_HOME=/s HOME=/root", Root{"/run/dserver", "/var/log/dserver"}},
		{"user", "", max(uid, 1), "HOME=/h", Root{"/tmp/dserver-UID", "/h/.local/state/dserver"}},
		{"user with a state folder", "", max(uid, 1), "HOME=/h XDG_STATE_HOME=/s", Root{"/tmp/dserver-UID", "/s/dserver"}},
		{"user without a home", "", max(uid, 1), "", Root{"/tmp/dserver-UID", ""}},
		{"folder of another user", "", other, "HOME=/h XDG_RUNTIME_DIR=" + mine, Root{"/tmp/dserver-4242", "/h/.local/state/dserver"}},
		{"relative folders", "", other, "HOME=h XDG_RUNTIME_DIR=run XDG_STATE_HOME=s", Root{"/tmp/dserver-4242", ""}},
		{"no such folder", "", other, "HOME=/h XDG_RUNTIME_DIR=" + mine + "/no", Root{"/tmp/dserver-4242", "/h/.local/state/dserver"}},
		{"not a folder", "", other, "HOME=/h XDG_RUNTIME_DIR=" + file, Root{"/tmp/dserver-4242", "/h/.local/state/dserver"}},
		{"flag", "/f/", 0, "DSERVER_RUNTIME_DIR=/e", Root{"/f", ""}},
		{"relative flag", "f", 0, "", Root{filepath.Join(here, "f"), ""}},
		{"environment", "", other, "DSERVER_RUNTIME_DIR=/e HOME=/h", Root{"/e", ""}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := find(test.flag, facts{uid: test.uid, env: environment(test.env), temp: "/tmp"})
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(got.Path, "/tmp/dserver-") && strings.HasSuffix(test.want.Path, "UID") {
				got.Path = test.want.Path
			}
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func environment(text string) func(string) string {
	return func(name string) string {
		for _, pair := range strings.Fields(text) {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

// An owner other than root is needed to see that $XDG_RUNTIME_DIR is taken.
func TestOwnRuntimeFolderIsTaken(t *testing.T) {
	dir := t.TempDir()
	uid := os.Geteuid()
	if uid == 0 {
		uid = 4242
		if err := os.Chown(dir, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	got, err := find("", facts{uid: uid, env: environment("HOME=/h XDG_RUNTIME_DIR=" + dir), temp: "/tmp"})
	if want := (Root{filepath.Join(dir, "dserver"), "/h/.local/state/dserver"}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestDirOfARoot(t *testing.T) {
	got, err := Root{Path: "/run/d", Logs: "/log/d"}.Dir("shop")
	if want := (Dir{Name: "shop", Path: "/run/d/shop", Logs: "/log/d/shop"}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err = Root{Path: "/run/d"}.Dir("shop")
	if want := (Dir{Name: "shop", Path: "/run/d/shop", Logs: "/run/d/shop/log"}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"a", "0", "my-svc", "a--b", strings.Repeat("x", 63)} {
		if err := CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "..", "a/b", "A", "a_b", "-a", "a-", "é", "a b", "a\n", "a\x00", strings.Repeat("x", 64)} {
		if err := CheckName(name); err == nil {
			t.Errorf("%q was taken", name)
		}
		if _, err := (Root{Path: "/run"}).Dir(name); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}

func TestListFindsWhatRuns(t *testing.T) {
	root := Root{Path: filepath.Join(t.TempDir(), "base")}
	if got, err := root.List(); err != nil || got != nil {
		t.Fatalf("an empty root has %v, %v", got, err)
	}
	for _, name := range []string{"web", "shop", "stopped"} {
		d, err := root.Dir(name)
		if err != nil {
			t.Fatal(err)
		}
		l, err := d.Lock()
		if err != nil {
			t.Fatal(err)
		}
		if name == "stopped" {
			l.Close()
			continue
		}
		defer l.Close()
	}
	// None of these is an instance.
	for _, name := range []string{"Other", "empty"} {
		if err := os.Mkdir(filepath.Join(root.Path, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("web", filepath.Join(root.Path, "link")); err != nil {
		t.Fatal(err)
	}
	got, err := root.List()
	if err != nil || len(got) != 2 || got[0].Name != "shop" || got[1].Name != "web" || got[0].Pid != os.Getpid() {
		t.Errorf("got %+v, %v", got, err)
	}
}
