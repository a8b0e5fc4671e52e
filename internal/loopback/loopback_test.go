package loopback_test

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"github.com/dserver/dserver/internal/loopback"
)

// TestFree: each address is another one, refuses before somebody listens there,
// and takes a listener.
func TestFree(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		address := loopback.Free(t)
		if seen[address] {
			t.Fatalf("%s twice", address)
		}
		seen[address] = true
		if conn, err := net.Dial("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("%s is somebody's: %v %v", address, conn, err)
		}
		ln, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
	}
}
