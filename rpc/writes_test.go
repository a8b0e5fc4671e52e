package rpc_test

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dserver/dserver/rpc"
)

// countingConn counts what is written to a connection.
type countingConn struct {
	net.Conn
	writes atomic.Int64
}

// TryWrite is how the endpoint writes to a socket, but that this one may wait.
func (c *countingConn) TryWrite(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

func (c *countingConn) Write(b []byte) (int, error) { return c.TryWrite(b) }

// TestManyCallsShareAWrite: with 100 callers far fewer writes than calls happen on
// either side, whether handlers are inline or not.
func TestManyCallsShareAWrite(t *testing.T) {
	const callers, calls, most = 100, 100, 0.3
	for name, opts := range map[string][]rpc.RouteOption{"pooled": nil, "inline": {rpc.Inline()}} {
		t.Run(name, func(t *testing.T) {
			server, client := newEndpoint(t, rpc.Config{}), newEndpoint(t, rpc.Config{})
			mustHandle(t, server, "/echo", func(_ rpc.Context, v []byte) ([]byte, error) { return v, nil }, opts...)
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			near, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			far, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			asks, answers := &countingConn{Conn: near}, &countingConn{Conn: far}
			if _, err := server.ServeConn(answers); err != nil {
				t.Fatal(err)
			}
			s, err := client.ServeConn(asks)
			if err != nil {
				t.Fatal(err)
			}
			var all sync.WaitGroup
			for range callers {
				all.Go(func() {
					for range calls {
						var got []byte
						if err := s.Call(t.Context(), "/echo", make([]byte, 500), &got); err != nil || len(got) != 500 {
							t.Errorf("got %d bytes, %v", len(got), err)
						}
					}
				})
			}
			all.Wait()
			for side, n := range map[string]int64{"who asks": asks.writes.Load(), "who answers": answers.writes.Load()} {
				perCall := float64(n) / (callers * calls)
				t.Logf("%s writes %.3f times a call", side, perCall)
				if perCall > most {
					t.Errorf("%s writes %.3f times a call, at most %.1f are allowed", side, perCall, most)
				}
			}
		})
	}
}
