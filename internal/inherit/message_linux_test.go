package inherit_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/inherit"
)

func notifyListener(t *testing.T) *inherit.NotifyListener {
	t.Helper()
	l, err := inherit.ListenNotify(t.Context(), filepath.Join(t.TempDir(), "n"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestNotifyTellsLinesAndSender(t *testing.T) {
	l := notifyListener(t)
	if err := inherit.Notify(t.Context(), l.Path(), "READY=1", "STATUS=up and running"); err != nil {
		t.Fatal(err)
	}
	got, err := l.Receive()
	if err != nil {
		t.Fatal(err)
	}
	if got.Pid != os.Getpid() || got.UID != os.Getuid() || !slices.Equal(got.Lines, []string{"READY=1", "STATUS=up and running"}) {
		t.Errorf("got %+v", got)
	}
}

func TestNotifyAbstract(t *testing.T) {
	name := "@" + filepath.Join(t.TempDir(), "n")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: name})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := inherit.Notify(t.Context(), name, "STOPPING=1"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	if n, err := l.Read(buf); err != nil || string(buf[:n]) != "STOPPING=1" {
		t.Errorf("got %q, %v", buf[:n], err)
	}
}

func TestListenNotifyAbstract(t *testing.T) {
	name := "@" + filepath.Join(t.TempDir(), "n")
	l, err := inherit.ListenNotify(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var taken *inherit.InUseError
	if _, err := inherit.ListenNotify(t.Context(), name); !errors.As(err, &taken) {
		t.Errorf("a second one: %v", err)
	}
	if err := inherit.Notify(t.Context(), l.Path(), "READY=1"); err != nil {
		t.Fatal(err)
	}
	if got, err := l.Receive(); err != nil || got.Pid != os.Getpid() || !slices.Equal(got.Lines, []string{"READY=1"}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestHoldNotifyGoesOn(t *testing.T) {
	for _, prefix := range []string{"", "@"} {
		path := prefix + filepath.Join(t.TempDir(), "n")
		former, err := inherit.ListenNotify(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if err := inherit.Notify(t.Context(), path, "STATUS=for whoever comes"); err != nil {
			t.Fatal(err)
		}
		l, err := inherit.HoldNotify(former, path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := l.Receive()
		if err != nil || got.Pid != os.Getpid() || !slices.Equal(got.Lines, []string{"STATUS=for whoever comes"}) {
			t.Errorf("got %+v, %v", got, err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(path); prefix == "" && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the file is left: %v", err)
		}
		if err := former.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestHoldNotifyRefusesWhatIsNone(t *testing.T) {
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	if _, err := inherit.HoldNotify(packets.(syscall.Conn), "@any"); err == nil {
		t.Error("a UDP socket was taken")
	}
	l := notifyListener(t)
	if _, err := inherit.HoldNotify(l, l.Path()+"x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a path that is not there: %v", err)
	}
	if _, err := inherit.HoldNotify(closedConn{}, "@any"); err == nil {
		t.Error("what is closed was taken")
	}
}

func TestNotifyWithoutManagerDoesNothing(t *testing.T) {
	if err := inherit.Notify(t.Context(), "", "READY=1"); err != nil {
		t.Error(err)
	}
}

func TestNotifyRefusesWhatIsNoMessage(t *testing.T) {
	l := notifyListener(t)
	for _, lines := range [][]string{nil, {""}, {"READY"}, {"=1"}, {"A=1\nB=2"}, {"A=" + strings.Repeat("x", 4096)}} {
		if err := inherit.Notify(t.Context(), l.Path(), lines...); err == nil {
			t.Errorf("%.20q was sent", lines)
		}
	}
	if err := inherit.Notify(t.Context(), l.Path()+"x", "READY=1"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nobody there: %v", err)
	}
}

func TestNotifyEndsWithItsContext(t *testing.T) {
	l := notifyListener(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var err error
	for err == nil { // nobody reads: the queue fills
		err = inherit.Notify(ctx, l.Path(), "WATCHDOG=1")
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestReceiveSkipsRubbishAndClosesDescriptors(t *testing.T) {
	l := notifyListener(t)
	from, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(from)
	number, err := inherit.Number(os.Stdin)
	if err != nil {
		t.Fatal(err)
	}
	rights := unix.UnixRights(int(number), int(number))
	before := descriptors(t)
	for _, m := range []struct{ text, control string }{
		{"", ""}, {"\n\n", ""}, {strings.Repeat("x", 5000), ""}, {"\n", string(rights)}, {"FDSTORE=1\n\nFDNAME=a", string(rights)},
	} {
		if err := unix.Sendmsg(from, []byte(m.text), []byte(m.control), &unix.SockaddrUnix{Name: l.Path()}, 0); err != nil {
			t.Fatal(err)
		}
	}
	got, err := l.Receive()
	if err != nil || !slices.Equal(got.Lines, []string{"FDSTORE=1", "FDNAME=a"}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func TestNotifyListenerCloses(t *testing.T) {
	l := notifyListener(t)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Receive(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Lstat(l.Path()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket's file is still there: %v", err)
	}
}

// packetPair gives both ends as connections.
func packetPair(t *testing.T) (a, b *net.UnixConn) {
	t.Helper()
	a, file, err := inherit.PacketPair()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	conn, err := inherit.Conn(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); conn.Close() })
	return a, conn.(*net.UnixConn)
}

func TestFilesTravelWithTheirLabels(t *testing.T) {
	a, b := packetPair(t)
	s := listen(t, "tcp", "127.0.0.1:0")
	before := descriptors(t)
	for _, label := range []string{"web/0", strings.Repeat("x", 1024)} {
		if err := inherit.SendFile(a, label, s); err != nil {
			t.Fatal(err)
		}
		got, f, err := inherit.ReceiveFile(b)
		if err != nil || got != label {
			t.Fatalf("got %q, %v", got, err)
		}
		held, err := inherit.Hold(f)
		if err != nil {
			t.Fatal(err)
		}
		if held.String() != s.String() || blocking(t, held) {
			t.Errorf("received %v, sent %v", held, s)
		}
		if err := errors.Join(held.Close(), f.Close()); err != nil {
			t.Error(err)
		}
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func TestReceiveFileRefusesWhatIsNotOne(t *testing.T) {
	a, b := packetPair(t)
	number, err := inherit.Number(os.Stdin)
	if err != nil {
		t.Fatal(err)
	}
	one, many := unix.UnixRights(int(number)), unix.UnixRights(slices.Repeat([]int{int(number)}, 253)...)
	before := descriptors(t)
	for _, m := range []struct {
		text    string
		control []byte
	}{{"none", nil}, {"two", unix.UnixRights(int(number), int(number))}, {"many", many}, {strings.Repeat("x", 1025), one}} {
		if _, _, err := a.WriteMsgUnix([]byte(m.text), m.control, nil); err != nil {
			t.Fatal(err)
		}
		if label, f, err := inherit.ReceiveFile(b); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%.10q: received %q, %v, %v", m.text, label, f, err)
		}
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	for _, label := range []string{"", strings.Repeat("x", 1025)} {
		if err := inherit.SendFile(a, label, os.Stdin); err == nil {
			t.Errorf("a label of %d bytes was sent", len(label))
		}
	}
	a.Close()
	if _, _, err := inherit.ReceiveFile(b); err != io.EOF {
		t.Errorf("after close: %v", err)
	}
}

func TestPairIsAStreamForAChild(t *testing.T) {
	ours, theirs, err := inherit.Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	if blocking(t, ours) || blocking(t, theirs) {
		t.Error("an end blocks")
	}
	conn, err := inherit.Conn(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if got, err := io.ReadAll(ours); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := inherit.Number(closedConn{}); !errors.Is(err, syscall.EBADF) {
		t.Errorf("got %v", err)
	}
}

type closedConn struct{}

func (closedConn) SyscallConn() (syscall.RawConn, error) { return nil, syscall.EBADF }

func TestPeerIsWhoMadeThePair(t *testing.T) {
	ours, theirs, err := inherit.Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	defer theirs.Close()
	p, err := inherit.Peer(ours)
	if want := (inherit.Credentials{Pid: os.Getpid(), UID: os.Geteuid(), GID: os.Getegid()}); err != nil || p != want {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestFetchCopiesADescriptorOfAnotherProcess(t *testing.T) {
	ours, theirs, err := inherit.Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	defer theirs.Close()
	number, err := inherit.Number(theirs)
	if err != nil {
		t.Fatal(err)
	}
	file, err := inherit.Fetch(os.Getpid(), int(number))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	conn, err := inherit.Conn(file)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := ours.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1)
	if n, err := conn.Read(buf); n != 1 || err != nil || buf[0] != 'x' {
		t.Errorf("read %q, %v", buf[:n], err)
	}
}

func TestFetchOfNobodyFails(t *testing.T) {
	for _, tt := range []struct{ pid, number int }{{os.Getpid(), 1 << 20}, {1 << 29, 3}, {-1, 3}} {
		if _, err := inherit.Fetch(tt.pid, tt.number); err == nil {
			t.Errorf("fetched descriptor %d of %d", tt.number, tt.pid)
		}
	}
}
