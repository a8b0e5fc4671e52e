package ctl_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/internal/group"
	"go.uber.org/goleak"
)

// asUser runs f on a thread that belongs to another user; needs root. The
// thread dies with the goroutine, so nothing else ever runs on it.
func asUser(t *testing.T, uid int, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	g := group.New(t.Context(), nil)
	g.Go("other user", func(context.Context) {
		runtime.LockOSThread()
		if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); e != 0 {
			t.Errorf("cannot become user %d: %v", uid, e)
			return
		}
		f()
	})
	if err := g.Wait(within(t)); err != nil {
		t.Fatal(err)
	}
}

func TestStrangersAreRefusedWhateverTheFileSays(t *testing.T) {
	path := socketPath(t)
	m := newMaster()
	serve(t, listen(t, path), m, ctl.Config{})
	os.Chmod(filepath.Dir(path), 0o755)
	asUser(t, 65534, func() {
		if _, err := net.Dial("unix", path); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("mode 0600 let a stranger in: %v", err)
		}
	})
	os.Chmod(path, 0o666)
	asUser(t, 65534, func() {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		for _, request := range []string{"GET /v1/info", "GET /v1/nowhere", "POST /v1/stop"} {
			got := exchange(t, path, request)
			if !strings.HasPrefix(got, "HTTP/1.1 403 ") || !strings.Contains(got, `"code":"denied"`) {
				t.Errorf("%s: %s", request, got)
			}
		}
	})
	if m.stopped != 0 {
		t.Error("a stranger stopped the master")
	}
}

// exchange sends a request from this very thread and gives the raw answer.
func exchange(t *testing.T, path, request string) string {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer conn.Close()
	fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: ctl\r\nContent-Length: 0\r\n\r\n", request)
	b, err := io.ReadAll(conn)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

// TestAClientDoesNotTrustAStrangersSocket needs three users: the client runs as
// one, the socket belongs to another, neither is root.
func TestAClientDoesNotTrustAStrangersSocket(t *testing.T) {
	path := socketPath(t)
	os.Chmod(filepath.Dir(path), 0o777)
	var ln *net.UnixListener
	asUser(t, 65533, func() {
		var err error
		if ln, err = ctl.Listen(path); err != nil {
			t.Error(err)
		}
	})
	if ln == nil {
		return
	}
	defer ln.Close()
	os.Chmod(path, 0o666)
	serve(t, ln, newMaster(), ctl.Config{Allow: func(ctl.Peer, ctl.Access) bool { return true }})
	if _, err := ctl.New(path).Info(within(t)); err != nil {
		t.Errorf("root may ask anybody: %v", err)
	}

	cmd := exec.CommandContext(within(t), "/proc/self/exe")
	cmd.Env = []string{askVariable + "=" + path}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, fs.ErrPermission) {
		t.Skipf("another user cannot run the test binary: %v", err)
	}
	want := "cannot GET /v1/info on " + path + ": user 65533 listens there, not user 65534 or root"
	if err != nil || string(out) != want {
		t.Errorf("%v: %s", err, out)
	}
}

// askVariable makes the test binary a client that prints the error it gets.
const askVariable = "CTL_TEST_ASK"

func TestMain(m *testing.M) {
	if path := os.Getenv(askVariable); path != "" {
		_, err := ctl.New(path).Info(context.Background())
		fmt.Print(err)
		return
	}
	if path := os.Getenv(masterVariable); path != "" {
		if err := becoming(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}
