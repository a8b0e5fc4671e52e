package rpc_test

import (
	"crypto/tls"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/status"
)

// sockopt asks the system for an option of the session's socket.
func sockopt(t *testing.T, s *rpc.Session, level, option int) (value int) {
	t.Helper()
	var err error
	if errControl := s.ControlFD(func(fd uintptr) { value, err = syscall.GetsockoptInt(int(fd), level, option) }); errControl != nil || err != nil {
		t.Fatal(errControl, err)
	}
	return value
}

// TestSocketOptionsReachTheSystem on both sides, below TLS too.
func TestSocketOptionsReachTheSystem(t *testing.T) {
	set := rpc.Socket{Delay: true, KeepAlive: 77 * time.Second, ReadBuffer: 20_000, WriteBuffer: 30_000}
	b := newBed(t, rpc.Config{Socket: set}, rpc.Config{Socket: set}, "tcp://127.0.0.1:0")
	check := func(name string, s *rpc.Session) {
		t.Helper()
		for _, o := range []struct {
			name                string
			level, option, want int
		}{
			{"TCP_NODELAY", syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 0},
			{"SO_KEEPALIVE", syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
			{"TCP_KEEPIDLE", syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 77},
			{"TCP_KEEPINTVL", syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 77},
			{"SO_RCVBUF", syscall.SOL_SOCKET, syscall.SO_RCVBUF, 40_000}, // the system doubles it
			{"SO_SNDBUF", syscall.SOL_SOCKET, syscall.SO_SNDBUF, 60_000},
		} {
			if got := sockopt(t, s, o.level, o.option); got != o.want {
				t.Errorf("%s: %s is %d, want %d", name, o.name, got, o.want)
			}
		}
	}
	check("dialled", b.dial())
	check("accepted", b.accepted())

	serverTLS, clientTLS := tlsConfigs()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	over := newEndpoint(t, rpc.Config{Socket: set})
	serveListener(t, over, tls.NewListener(ln, serverTLS))
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.client.ServeConn(tls.Client(conn, clientTLS))
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, s.Call(t.Context(), "/nowhere", nil, nil), status.NotFound)
	check("TLS", s)
	check("accepted TLS", over.Sessions()[0])
}

func TestSocketOptionsByDefaultAndTurnedOff(t *testing.T) {
	b := newBed(t, rpc.Config{}, rpc.Config{Socket: rpc.Socket{KeepAlive: -1}}, "tcp://127.0.0.1:0")
	s := b.dial()
	if got := sockopt(t, s, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE); got != 0 {
		t.Errorf("keep-alive is on: %d", got)
	}
	for name, s := range map[string]*rpc.Session{"dialled": s, "accepted": b.accepted()} {
		if got := sockopt(t, s, syscall.IPPROTO_TCP, syscall.TCP_NODELAY); got != 1 {
			t.Errorf("%s: TCP_NODELAY is %d", name, got)
		}
	}
	if got := sockopt(t, b.accepted(), syscall.SOL_SOCKET, syscall.SO_KEEPALIVE); got != 1 {
		t.Errorf("keep-alive is off by default: %d", got)
	}
}

func TestControlFDNeedsADescriptor(t *testing.T) {
	b := newBed(t, rpc.Config{Socket: rpc.Socket{Delay: true, ReadBuffer: 1}}, rpc.Config{}, "mem://server")
	err := b.dial().ControlFD(func(uintptr) { t.Error("called") })
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
	if _, err := rpc.New(rpc.Config{Socket: rpc.Socket{ReadBuffer: -1}}); err == nil {
		t.Error("a negative buffer is taken")
	}
	tcp := onTCP(t, rpc.Config{})
	s := tcp.dial()
	s.Close()
	within(t, 10*time.Second, "the session ends", s.Done())
	if err := s.ControlFD(func(uintptr) { t.Error("called") }); err == nil {
		t.Error("a closed connection has a descriptor")
	}
}
