package inherit_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/inherit"
)

func listen(t *testing.T, network, address string) *inherit.Socket {
	t.Helper()
	s, err := inherit.Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Remove() })
	return s
}

func blocking(t *testing.T, c syscall.Conn) bool {
	t.Helper()
	number, err := inherit.Number(c)
	if err != nil {
		t.Fatal(err)
	}
	flags, err := unix.FcntlInt(number, unix.F_GETFL, 0)
	if err != nil {
		t.Fatal(err)
	}
	return flags&unix.O_NONBLOCK == 0
}

func ask(t *testing.T, s *inherit.Socket) string {
	t.Helper()
	conn, err := net.Dial(s.Network(), s.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// watchMode looks at a socket's blocking mode all the time and tells, when
// stopped, whether it ever was blocking.
func watchMode(t *testing.T, c syscall.Conn) (flipped func() bool) {
	stop, result := make(chan struct{}), make(chan bool)
	go func() {
		seen := false
		for {
			select {
			case <-stop:
				result <- seen
				return
			default:
				seen = seen || blocking(t, c)
			}
		}
	}()
	return func() bool {
		close(stop)
		return <-result
	}
}

func TestSocketsStayNonblockingOverTwentyGenerations(t *testing.T) {
	sockets := []*inherit.Socket{
		listen(t, "tcp", "127.0.0.1:0"),
		listen(t, "unix", filepath.Join(t.TempDir(), "s")),
	}
	env, err := inherit.Environ([]string{"first", "second"})
	if err != nil {
		t.Fatal(err)
	}
	flipped := watchMode(t, sockets[0])
	before := descriptors(t)
	for range 20 {
		pid := spawn(t, "answer", env, []syscall.Conn{sockets[0], sockets[1]})
		for i, want := range []string{"first", "second"} {
			if got := ask(t, sockets[i]); got != want {
				t.Errorf("child answered %q, want %q", got, want)
			}
		}
		wait(t, pid)
		if blocking(t, sockets[0]) || blocking(t, sockets[1]) {
			t.Fatal("a child left a shared socket in blocking mode")
		}
	}
	if flipped() {
		t.Error("the shared socket was in blocking mode for a while")
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func TestTakeByPid(t *testing.T) {
	s := listen(t, "tcp", "127.0.0.1:0")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	env := []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=web:tell"}
	pid := spawn(t, "take", env, []syscall.Conn{s, w}, "/bin/sh", "-c", `export LISTEN_PID=$$; exec "$0"`)
	w.Close()
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	wait(t, pid)
	if want := "web cloexec=true, tell cloexec=true"; string(got) != want {
		t.Errorf("child took %q, want %q", got, want)
	}
}

func TestListenerIsIndependentOfItsSocket(t *testing.T) {
	for _, address := range [][2]string{{"tcp", "127.0.0.1:0"}, {"unix", filepath.Join(t.TempDir(), "s")}} {
		s := listen(t, address[0], address[1])
		for range 3 {
			ln, err := s.Listener()
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error, 1)
			go func() {
				conn, err := ln.Accept()
				if err == nil {
					err = conn.Close()
				}
				served <- err
			}()
			if got := ask(t, s); got != "" {
				t.Errorf("got %q", got)
			}
			if err := errors.Join(<-served, ln.Close()); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestPortIsTaken(t *testing.T) {
	s := listen(t, "tcp", "127.0.0.1:0")
	_, err := inherit.Listen(t.Context(), "tcp", s.Address())
	var inUse *inherit.InUseError
	if !errors.As(err, &inUse) || !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("got %v", err)
	}
	if want := "cannot listen on tcp://" + s.Address() + ": the address is in use"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestListenRefusesWhatItCannotDo(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"unix|":                             "without a path",
		"unix|@name":                        "abstract",
		"unix|/" + strings.Repeat("x", 107): "108 bytes, at most 107",
		"unix|" + file:                      "not a socket",
		"unix|" + link:                      "not a socket",
		"unix|" + dir + "/none/s":           "no such file",
		"sctp|127.0.0.1:0":                  "must be tcp",
		"tcp|127.0.0.1":                     "missing port",
		"tcp|127.0.0.1:99999":               "invalid port",
	} {
		network, address, _ := strings.Cut(address, "|")
		s, err := inherit.Listen(t.Context(), network, address)
		if err == nil {
			s.Remove()
			t.Errorf("%s://%s was opened", network, address)
			continue
		}
		if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "cannot listen on") {
			t.Errorf("%s://%s: %q does not say %q", network, address, err, want)
		}
	}
	if _, err := os.Stat(file); err != nil {
		t.Error("the file in the way is gone:", err)
	}
}

func TestLongestPathWorks(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "inherit")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, strings.Repeat("s", 107-1-len(dir)))
	listen(t, "unix", path)
}

func TestLiveSocketIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listen(t, "unix", path)
	_, err := inherit.Listen(t.Context(), "unix", path)
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v", err)
	}
}

// A queue that is full is not the same as nobody there.
func TestBusySocketIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	for {
		conn, err := net.DialTimeout("unix", path, time.Second)
		if err != nil {
			break
		}
		defer conn.Close()
	}
	if _, err := inherit.Listen(t.Context(), "unix", path); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v", err)
	}
}

func TestDeadSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	dead := listen(t, "unix", path)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Fatal("Close removed the path:", err)
	}
	live := listen(t, "unix", path)
	if err := dead.Remove(); err == nil {
		t.Error("a second close went unnoticed")
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error("the former owner removed the path of its successor:", err)
	}
	if err := live.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("the owner left the path:", err)
	}
}

func TestHoldTakesOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first := listen(t, "unix", path)
	second, err := inherit.Hold(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := second.String(), "unix://"+path; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if blocking(t, second) {
		t.Error("the held socket blocks")
	}
	if err := second.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("the path is still there:", err)
	}
}

// TestNoPathWithoutAListener: who is refused by a socket that is being removed
// finds no file any more.
func TestNoPathWithoutAListener(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for range 200 {
		s := listen(t, "unix", path)
		left := make(chan error, 1)
		go func() {
			for {
				conn, err := net.Dial("unix", path)
				if err != nil {
					_, err = os.Lstat(path)
					left <- err
					return
				}
				conn.Close()
			}
		}()
		s.Remove()
		if err := <-left; !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("a file is there behind which nobody listens: %v", err)
		}
	}
}

func TestDupKeepsModeEvenThroughFd(t *testing.T) {
	s := listen(t, "tcp", "127.0.0.1:0")
	f, err := inherit.Dup(s, "copy")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.Fd()
	if blocking(t, s) {
		t.Error("the shared socket blocks")
	}
	if _, err := inherit.Dup(closed(t), "closed"); err == nil {
		t.Error("a closed file was copied")
	}
}

func closed(t *testing.T) *os.File {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	return f
}

func TestPacketConnIsShared(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	copied, err := inherit.PacketConn(conn.(*net.UDPConn))
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	if _, err := conn.WriteTo([]byte("x"), copied.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if n, _, err := copied.ReadFrom(make([]byte, 8)); n != 1 || err != nil {
		t.Errorf("read %d, %v", n, err)
	}
	if blocking(t, conn.(*net.UDPConn)) {
		t.Error("the shared socket blocks")
	}
}

func TestCloseOnExec(t *testing.T) {
	fd, err := unix.Dup(1)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC != 0 {
		t.Fatalf("a fresh copy has flags %d, %v", flags, err)
	}
	if err := inherit.CloseOnExec(); err != nil {
		t.Fatal(err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("it has flags %d, %v", flags, err)
	}
	if flags, err := unix.FcntlInt(1, unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC != 0 {
		t.Errorf("standard output has flags %d, %v", flags, err)
	}
}
