package rpc_test

import (
	"crypto/tls"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
)

// tlsConfigs borrows the certificate of the test server of net/http.
func tlsConfigs() (server, client *tls.Config) {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	return &tls.Config{Certificates: s.TLS.Certificates}, &tls.Config{InsecureSkipVerify: true}
}

// A connection that can only block, as TLS can, works as any other: all bytes in
// order, orderly ends, no goroutine left.
func TestSessionsOverTLS(t *testing.T) {
	serverTLS, clientTLS := tlsConfigs()
	b := onTCP(t, rpc.Config{})
	echo(t, b.server)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveListener(t, b.server, tls.NewListener(ln, serverTLS))

	stalled, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer stalled.Close()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.client.ServeConn(tls.Client(conn, clientTLS))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			for range 20 {
				want := strings.Repeat("x", i*1000)
				var got string
				if err := s.Call(t.Context(), "/echo", want, &got); err != nil || got != want {
					t.Errorf("got %d bytes, %v", len(got), err)
				}
			}
		})
	}
	all.Wait()
	// The one that never began its handshake delayed nobody.
	stalled.Close()
	eventually(t, "the stalled one is gone", func() bool { return b.server.Stats().Sessions == 1 })
	s.Close()
	within(t, 10*time.Second, "the session ends", s.Done())
	eventually(t, "its other end, too", func() bool { return b.server.Stats().Sessions == 0 })
}
