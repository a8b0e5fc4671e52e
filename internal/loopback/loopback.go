package loopback

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"testing"
)

// Free returns a TCP address, host and port, at which nobody listens and, on
// Linux, nobody will but the caller: all of 127.0.0.0/8 is the machine's own there,
// and the address is drawn from 16 million of them. Elsewhere it is a port of
// 127.0.0.1 that was free just now.
func Free(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", net.JoinHostPort(host(), "0"))
	if err != nil {
		t.Fatalf("cannot find a free address: %v", err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// host is an address that no default and no connection's own end ever has, so its
// second byte is at least 1.
func host() string {
	if runtime.GOOS != "linux" {
		return "127.0.0.1"
	}
	return netip.AddrFrom4([4]byte{127, byte(1 + rand.N(255)), byte(rand.N(256)), byte(rand.N(256))}).String()
}
