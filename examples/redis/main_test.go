package main

import (
	"bufio"
	"io"
	"net"
	"testing"
	"time"

	"github.com/dserver/dserver/sandbox/sandboxtest"
)

// A client of redis sends lines or arrays, and may send many before it reads.
func TestStore(t *testing.T) {
	store := sandboxtest.Run(t, service(), sandboxtest.Options{})
	conn, err := net.Dial("tcp", store.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	for _, step := range [][2]string{
		{"SET k 'a b'\r\nget k\r\n", "+OK\r\n$3\r\na b\r\n"},
		{"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\nincr n\r\n", ":1\r\n:2\r\n"},
		{"incr k\r\n", "-ERR value is not an integer or out of range\r\n"},
		{"del k\r\nget k\r\n", ":1\r\n$-1\r\n"},
		{"get\r\n", "-ERR wrong number of arguments for 'get' command\r\n"},
		{"ping\r\n", "+PONG\r\n"},
	} {
		got := make([]byte, len(step[1]))
		if _, err := io.WriteString(conn, step[0]); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(in, got); err != nil || string(got) != step[1] {
			t.Errorf("%q: got %q, %v, want %q", step[0], got, err, step[1])
		}
	}
}
