package unix_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/transport/unix"
)

func TestListenReplacesADeadSocketOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	if ln, err := (unix.Transport{}).Listen(t.Context(), path); err == nil || !strings.Contains(err.Error(), "somebody listens") {
		ln.Close()
		t.Fatalf("over a live socket: %v", err)
	}
	old.SetUnlinkOnClose(false)
	old.Close()
	ln, err := (unix.Transport{}).Listen(t.Context(), path)
	if err != nil {
		t.Fatalf("over a dead socket: %v", err)
	}
	ln.Close()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("closing left the socket: %v", err)
	}
}

func TestListenLeavesOtherFilesAlone(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, link} {
		if ln, err := (unix.Transport{}).Listen(t.Context(), path); err == nil {
			ln.Close()
			t.Errorf("listens on %s", path)
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "precious" {
		t.Errorf("the file is %q, %v", b, err)
	}
}

func TestPathThatIsTooLongIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("x", unix.MaxPath))
	_, listenErr := (unix.Transport{}).Listen(t.Context(), path)
	_, dialErr := (unix.Transport{}).Dial(t.Context(), path)
	for _, err := range []error{listenErr, dialErr} {
		if err == nil || !strings.Contains(err.Error(), "the most is 107") {
			t.Errorf("got %v", err)
		}
	}
}
