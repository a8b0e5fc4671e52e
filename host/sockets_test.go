package host

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/internal/loopback"
	"github.com/dserver/dserver/sandbox"
)

func box(name string, listen ...sandbox.Listen) Sandbox { return Sandbox{Name: name, Listen: listen} }

func tcp(name, address string) sandbox.Listen {
	return sandbox.Listen{Name: name, Network: "tcp", Address: address}
}

func opened(t *testing.T, boxes ...Sandbox) *sockets {
	t.Helper()
	s := &sockets{}
	t.Cleanup(func() { s.close(true) })
	if _, err := s.ensureAll(t.Context(), boxes); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTwoSocketsWithAnyPortKeepTheirOwn(t *testing.T) {
	boxes := []Sandbox{box("a", tcp("0", "127.0.0.1:0")), box("b", tcp("0", "127.0.0.1:0"))}
	s := opened(t, boxes...)
	a, b := s.addresses("a")[0], s.addresses("b")[0]
	if a == b {
		t.Fatal("one socket for two")
	}
	if _, err := s.ensureAll(t.Context(), boxes); err != nil {
		t.Fatal(err)
	}
	s.keepOnly(boxes)
	if s.addresses("a")[0] != a || s.addresses("b")[0] != b || len(s.list()) != 2 {
		t.Error("a port was lost")
	}
}

func TestSocketFollowsItsAddressToAnotherSandbox(t *testing.T) {
	s := opened(t, box("a", tcp("0", "127.0.0.1:0")))
	address := s.addresses("a")[0][len("tcp://"):]
	fixed := opened(t) // the same address, configured with its port
	fixed.held, s.held = s.held, nil
	fixed.held[0].Listen = tcp("0", address)
	moved := []Sandbox{box("b", tcp("web", address))}
	if _, err := fixed.ensureAll(t.Context(), moved); err != nil {
		t.Fatalf("the socket was not found: %v", err)
	}
	fixed.keepOnly(moved)
	if got := fixed.addresses("b"); len(got) != 1 || got[0] != "tcp://"+address {
		t.Errorf("b has %v", got)
	}
}

func TestRemovedSocketRefusesAlthoughSomebodyHoldsACopy(t *testing.T) {
	s := opened(t, box("a", tcp("0", loopback.Free(t))))
	address := s.addresses("a")[0][len("tcp://"):]
	file, err := inherit.Dup(s.list()[0].socket, "copy")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s.keepOnly(nil)
	conn, err := net.Dial("tcp", address)
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, %v", conn, err)
	}
}

func TestDatagramSocketIsShared(t *testing.T) {
	s := opened(t)
	l := sandbox.Listen{Network: "udp", Address: "127.0.0.1:0"}
	first, err := s.PacketConn(t.Context(), "a", l)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := s.PacketConn(t.Context(), "a", l)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if first.LocalAddr().String() != second.LocalAddr().String() {
		t.Errorf("%v and %v", first.LocalAddr(), second.LocalAddr())
	}
	file, err := inherit.Dup(s.list()[0].socket, "udp")
	if err != nil {
		t.Fatal(err)
	}
	heir := opened(t)
	if err := heir.adopt(s.list()[0].socketKey, file); err != nil {
		t.Fatal(err)
	}
	if got := heir.addresses("a"); len(got) != 1 || got[0] != "udp://"+first.LocalAddr().String() {
		t.Errorf("the heir has %v", got)
	}
}

func TestWhatIsOutOfUseIsRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	unix := sandbox.Listen{Name: "0", Network: "unix", Address: path}
	s := opened(t, box("a", unix), box("b", tcp("0", "127.0.0.1:0")))
	s.keepOnly([]Sandbox{box("b", tcp("0", "127.0.0.1:0"))})
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket file is still there: %v", err)
	}
	if len(s.list()) != 1 {
		t.Errorf("%d sockets left, want 1", len(s.list()))
	}
}

func TestFailedOpeningTakesBackWhatItOpened(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := &sockets{}
	_, err = s.ensureAll(t.Context(), []Sandbox{
		box("a", tcp("0", "127.0.0.1:0")), box("b", tcp("0", taken.Addr().String())),
	})
	var port *PortError
	if !errors.As(err, &port) || port.Sandbox != "b" || !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v", err)
	}
	if n := len(s.list()); n != 0 {
		t.Errorf("%d sockets left open", n)
	}
}

func TestSocketsOfAServiceManagerAreFoundByNameOrAddressAndNotRemoved(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	byAddress := sandbox.Listen{Name: "0", Network: "unix", Address: path}
	boxes := []Sandbox{box("a", tcp("web", "127.0.0.1:1")), box("b", byAddress)}
	s := &sockets{}
	for _, g := range []struct {
		name, network, address string
		fits                   bool
	}{{"a.web", "tcp", "127.0.0.1:0", true}, {"any", "unix", path, true}, {"other", "tcp", "127.0.0.1:0", false}} {
		given, err := inherit.Listen(t.Context(), g.network, g.address)
		if err != nil {
			t.Fatal(err)
		}
		file, err := inherit.Dup(given, g.name)
		if err != nil {
			t.Fatal(err)
		}
		given.Close()
		fits, err := s.borrow(inherit.Named{Name: g.name, File: file}, boxes)
		if err != nil || fits != g.fits {
			t.Errorf("%s: fits %v, %v", g.name, fits, err)
		}
	}
	if undo, err := s.ensureAll(t.Context(), boxes); err != nil || len(s.list()) != 2 {
		t.Errorf("%d sockets, %v", len(s.list()), err)
	} else {
		undo()
	}
	s.close(true)
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the service manager's socket was removed: %v", err)
	}
}
