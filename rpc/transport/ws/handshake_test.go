package ws_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/transport/ws"
)

// TestF113ForeignPagesAreRefused, those of the own host and of friends are not, and
// programs never.
func TestF113ForeignPagesAreRefused(t *testing.T) {
	strict := listen(t, ws.Options{Origins: []string{"https://friend.example"}})
	open := listen(t, ws.Options{Origins: []string{"*"}})
	for _, test := range []struct {
		origin string
		status int
	}{
		{"", 101},
		{"ws://127.0.0.1:49191/ws", 101},
		{"wss://elsewhere/ws", 101},
		{"http://" + host(strict), 101},
		{"https://friend.example", 101},
		{"HTTPS://FRIEND.example", 101},
		{"http://friend.example", 403},
		{"https://friend.example:444", 403},
		{"https://friend.example.evil", 403},
		{"https://evil.example", 403},
		{"http://" + host(strict) + "0", 403},
		{"null", 403},
		{"file://", 403},
		{"moz-extension://x", 403},
		{"%", 403},
		{"ws://a\r\nOrigin: https://evil.example", 403},
	} {
		var lines []string
		if test.origin != "" {
			lines = []string{"Origin: " + test.origin}
		}
		if p := dialByHand(t, strict, "/", lines...); p.answer.StatusCode != test.status {
			t.Errorf("%q: got %d, want %d", test.origin, p.answer.StatusCode, test.status)
		}
		if p := dialByHand(t, open, "/", lines...); p.answer.StatusCode != 101 {
			t.Errorf("%q where all may: got %d", test.origin, p.answer.StatusCode)
		}
	}
}

func TestSubprotocols(t *testing.T) {
	l := listen(t, ws.Options{Subprotocols: []string{"drpc.pb", "drpc.json"}})
	free := listen(t, ws.Options{})
	for _, test := range []struct {
		asked []string
		got   string
		fails bool
	}{
		{nil, "", false},
		{[]string{"drpc.json"}, "drpc.json", false},
		{[]string{"drpc.json", "drpc.pb"}, "drpc.pb", false},
		{[]string{"other", "drpc.json"}, "drpc.json", false},
		{[]string{"other"}, "", true},
	} {
		conn, err := ws.Transport{Options: ws.Options{Subprotocols: test.asked}}.Dial(t.Context(), l.Addr().String())
		var refused *ws.HandshakeError
		if test.fails {
			if !errors.As(err, &refused) || refused.Status != 400 || !strings.Contains(err.Error(), "there is drpc.pb, drpc.json") {
				t.Errorf("%v: got %v", test.asked, err)
			}
		} else if err != nil {
			t.Fatal(err)
		} else {
			accepted := accept(t, l)
			if near, far := conn.(*ws.Conn).Subprotocol(), accepted.Subprotocol(); near != test.got || far != test.got {
				t.Errorf("%v: agreed on %q and %q", test.asked, near, far)
			}
			conn.Close()
		}
		c := dial(t, ws.Options{Subprotocols: test.asked}, free)
		if accepted := accept(t, free); c.Subprotocol() != "" || accepted.Subprotocol() != "" {
			t.Errorf("%v: agreed on %q where there is nothing to agree on", test.asked, c.Subprotocol())
		}
	}
}

// TestHandshakesHaveLimitedTime on both sides, with TLS and without.
func TestHandshakesHaveLimitedTime(t *testing.T) {
	for _, o := range []ws.Options{{}, {TLS: both()}} {
		o.HandshakeTime = 50 * time.Millisecond
		l := listen(t, o)
		for _, start := range []string{"", "GET / HT", "\x16\x03"} {
			conn, err := net.Dial("tcp", host(l))
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(conn, start)
			conn.SetReadDeadline(time.Now().Add(20 * time.Second))
			if _, err := io.Copy(io.Discard, conn); errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%q: still open", start)
			}
			conn.Close()
		}
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (ws.Transport{Options: o}).Dial(t.Context(), silent.Addr().String()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		o.HandshakeTime = 0
		ctx := rpctest.Timeout(t, 50*time.Millisecond)
		if _, err := (ws.Transport{Options: o}).Dial(ctx, silent.Addr().String()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		silent.Close()
	}
}

func TestHandshakesAreBounded(t *testing.T) {
	l := listen(t, ws.Options{Handshakes: 2})
	var held []net.Conn
	for range 2 {
		conn, err := net.Dial("tcp", host(l))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		held = append(held, conn)
	}
	if conn, err := (ws.Transport{}).Dial(t.Context(), l.Addr().String()); err == nil {
		t.Error("one more was served")
		conn.Close()
	}
	for _, conn := range held {
		conn.Close()
	}
	rpctest.Eventually(t, "there is room again", func() bool {
		conn, err := ws.Transport{}.Dial(t.Context(), l.Addr().String())
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// TestWebsocketsDoNotCountAsHandshakes.
func TestWebsocketsDoNotCountAsHandshakes(t *testing.T) {
	l := listen(t, ws.Options{Handshakes: 1})
	for range 10 {
		var c net.Conn
		rpctest.Eventually(t, "one more is served", func() (ok bool) {
			var err error
			c, err = ws.Transport{}.Dial(t.Context(), l.Addr().String())
			return err == nil
		})
		defer c.Close()
		accept(t, l)
	}
}
