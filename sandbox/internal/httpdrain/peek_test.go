package httpdrain_test

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/dserver/dserver/sandbox/internal/httpdrain"
)

// A request that lies unread in the receive buffer when the quiet time is over
// must keep its connection open. Nobody serves these connections, so the bytes
// are sure to be unread at that time.
func TestUnreadRequestKeepsItsConnection(t *testing.T) {
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "s")} {
		t.Run(network, func(t *testing.T) {
			ln, err := net.Listen(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			const quiet = 20 * time.Millisecond
			tracker := httpdrain.New(httpdrain.Config{Quiet: quiet})
			accept := func() (peer, conn net.Conn) {
				peer, err := net.Dial(network, ln.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				conn, err = tracker.Listener(ln).Accept()
				if err != nil {
					t.Fatal(err)
				}
				return peer, conn
			}
			busyPeer, busy := accept()
			idlePeer, idle := accept()
			defer busyPeer.Close()
			defer idlePeer.Close()
			if _, err := busyPeer.Write([]byte("G")); err != nil {
				t.Fatal(err)
			}
			tracker.Drain()
			if _, err := idle.Read(make([]byte, 1)); err == nil {
				t.Error("the idle connection was not closed")
			}
			time.Sleep(5 * quiet) // time for the mistake to happen
			if n, err := busy.Read(make([]byte, 1)); n != 1 || err != nil {
				t.Errorf("the waiting request is lost: %v", err)
			}
			_, _ = idle.Close(), busy.Close() // closed already; said to the tracker
			tracker.Wait(t.Context(), func(what string) { t.Error(what) })
		})
	}
}
