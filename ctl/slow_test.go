//go:build slow

package ctl_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/ctl"
)

// ended waits until the server hangs up on conn and gives what it said.
func ended(t *testing.T, conn net.Conn) string {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	b, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("the server holds on: %v", err)
	}
	return string(b)
}

func TestTheServerWaitsForNobodyForEver(t *testing.T) {
	m, path := newMaster(), socketPath(t)
	serve(t, listen(t, path), m, ctl.Config{})
	t.Run("group", func(t *testing.T) {
		t.Run("no request", func(t *testing.T) {
			t.Parallel()
			conn := dial(t, path)
			if got := ended(t, conn); got != "" {
				t.Errorf("got %q", got)
			}
		})
		t.Run("half a header", func(t *testing.T) {
			t.Parallel()
			conn := dial(t, path)
			fmt.Fprint(conn, "GET /v1/info HTTP/1.1\r\nHost:")
			ended(t, conn)
		})
		t.Run("half a body", func(t *testing.T) {
			t.Parallel()
			conn := dial(t, path)
			fmt.Fprint(conn, "POST /v1/reload HTTP/1.1\r\nHost: ctl\r\nContent-Length: 100\r\n\r\n{")
			if got := ended(t, conn); !strings.HasPrefix(got, "HTTP/1.1 400 ") {
				t.Errorf("got %q", got)
			}
		})
		t.Run("a follower that does not read", func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			conn := dial(t, path)
			fmt.Fprint(conn, "GET /v1/events HTTP/1.1\r\nHost: ctl\r\n\r\n")
			if err := m.untilFollowing(ctx, 1); err != nil {
				t.Fatal(err)
			}
			for range 1000 {
				m.say(strings.Repeat("x", 10_000))
			}
			if err := m.untilFollowing(ctx, 0); err != nil {
				t.Errorf("it is still followed: %v", err)
			}
		})
		t.Run("a reload that takes its time", func(t *testing.T) {
			t.Parallel()
			slow, path := newMaster(), socketPath(t)
			slow.hold = make(chan struct{})
			serve(t, listen(t, path), slow, ctl.Config{})
			timer := time.AfterFunc(12*time.Second, func() { close(slow.hold) })
			defer timer.Stop()
			// No limit of the server may end what only takes long.
			if _, err := ctl.New(path).Reload(within(t), ctl.ReloadRequest{Names: []string{"math"}}); err != nil {
				t.Error(err)
			}
		})
	})
}

func dial(t *testing.T, path string) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestAMasterMayNotPutOffForEver(t *testing.T) {
	p, path := &putOff{newMaster(), make(chan struct{})}, socketPath(t)
	close(p.times)
	serve(t, listen(t, path), p, ctl.Config{})
	began := time.Now()
	_, err := ctl.New(path).Signal(within(t), ctl.SignalRequest{Names: []string{"redis"}, Signal: "HUP"})
	if took := time.Since(began); !errors.Is(err, ctl.ErrRetry) || took < 10*time.Second || took > 15*time.Second {
		t.Errorf("after %v: %v", took, err)
	}
}
