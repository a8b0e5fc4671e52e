package ws_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dserver/dserver/rpc/transport/ws"
)

// hijacked is a request whose connection is a pipe, for tests in virtual time.
type hijacked struct {
	http.ResponseWriter
	conn net.Conn
}

func (h hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}

// onPipe is a websocket that was accepted, and its peer. Neither buffers: a write waits
// for who reads it.
func onPipe(t testing.TB, o ws.Options) (*ws.Conn, *peer) {
	t.Helper()
	near, far := net.Pipe()
	var c net.Conn
	o.Logger = quiet()
	h, err := ws.NewHandler(o, func(conn net.Conn) { c = conn })
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Key": "OKGzQKl/CuzRC9f402zjcQ==", "Sec-WebSocket-Version": "13",
	} {
		r.Header.Set(name, value)
	}
	h.ServeHTTP(hijacked{httptest.NewRecorder(), near}, r)
	if c == nil {
		t.Fatal("no websocket")
	}
	return c.(*ws.Conn), &peer{Conn: far, t: t, r: bufio.NewReader(far), masks: true}
}

// reading reads c until it ends.
func reading(c net.Conn) (ended chan error) {
	ended = make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, c)
		if err == nil {
			err = io.EOF
		}
		ended <- err
	}()
	return ended
}

const patienceBytes = 64 << 10

// TestMessageHasLimitedTime: one that comes on gets more, one that trickles does not,
// and between messages there is no hurry.
func TestMessageHasLimitedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := onPipe(t, ws.Options{FrameTime: 10 * time.Second})
		defer p.Close()
		defer c.Close()
		ended := reading(c)
		time.Sleep(time.Hour)
		for range 10 {
			p.send(opBinary, strings.Repeat("x", patienceBytes))
			for range 9 {
				time.Sleep(time.Second)
				p.send(opContinuation, "x")
			}
			p.send(final|opContinuation, strings.Repeat("x", patienceBytes))
			time.Sleep(9 * time.Second)
		}
		time.Sleep(time.Hour)
		select {
		case err := <-ended:
			t.Fatalf("ended too early: %v", err)
		default:
		}
		start := time.Now()
		p.send(opBinary, "x")
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for range 20 { // fragments without bytes are no progress
				time.Sleep(time.Second)
				if _, err := p.Write(p.frame(opContinuation, "")); err != nil {
					return
				}
			}
		}()
		err := <-ended
		if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "the rest of a message did not come within 10s") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("after %v", took)
		}
		c.Close()
		<-sent
	})
}

// TestEarlierDeadlineCounts, the user's or that of a message.
func TestEarlierDeadlineCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for user, want := range map[time.Duration]time.Duration{time.Hour: 10 * time.Second, 3 * time.Second: 3 * time.Second} {
			c, p := onPipe(t, ws.Options{FrameTime: 10 * time.Second})
			start := time.Now()
			c.SetReadDeadline(start.Add(user))
			ended := reading(c)
			p.send(opBinary, "x")
			if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != want {
				t.Errorf("with %v: %v after %v", user, err, time.Since(start))
			}
			c.Close()
			p.Close()
		}
	})
}

// TestPingBehindALongMessageEndsNothing: the library would give up the connection.
func TestPingBehindALongMessageEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := onPipe(t, ws.Options{})
		defer p.Close()
		defer c.Close()
		ended := reading(c)
		written := make(chan error, 1)
		go func() {
			_, err := c.Write(append(frame(strings.Repeat("x", 1<<20)), frame("next")...))
			written <- err
		}()
		time.Sleep(time.Second)
		for range 5 {
			p.send(final|opPing, "are you there")
			time.Sleep(time.Minute)
		}
		p.want(final|opBinary, strings.Repeat("x", 1<<20))
		p.want(final|opPong, "are you there") // once for all
		p.want(final|opBinary, "next")
		if err := <-written; err != nil {
			t.Error(err)
		}
		p.send(final|opPing, "and now")
		p.want(final|opPong, "and now")
		select {
		case err := <-ended:
			t.Errorf("ended: %v", err)
		default:
		}
	})
}

// TestPongComesBetweenMessages that are written without a pause.
func TestPongComesBetweenMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := onPipe(t, ws.Options{})
		defer p.Close()
		defer c.Close()
		reading(c)
		const messages = 10_000
		go c.Write(bytes.Repeat(frame("x"), messages))
		p.want(final|opBinary, "x")
		p.send(final|opPing, "ping")
		for range messages - 1 {
			if first, _ := p.receive(); first == final|opPong {
				return
			}
		}
		t.Error("no pong before the last message")
	})
}

// TestCloseWriteLeavesReadingOpen until the peer has closed as well, which it answers
// with nothing more.
func TestCloseWriteLeavesReadingOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := onPipe(t, ws.Options{})
		defer c.Close()
		for range 2 {
			if err := c.CloseWrite(); err != nil {
				t.Fatal(err)
			}
		}
		p.want(final|opClose, code(1012))
		if _, err := c.Write(frame("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write after the end: %v", err)
		}
		go func() {
			p.send(final|opPing, "too late for a pong")
			p.send(opBinary, "still ")
			time.Sleep(time.Second)
			p.send(final|opContinuation, "on the way")
			time.Sleep(time.Hour)
			p.send(final|opClose, code(1012))
		}()
		start := time.Now()
		wantFrame(t, c, "still on the way")
		wantEnd(t, c, io.EOF)
		p.wantNothingButTheEnd()
		if took := time.Since(start); took != time.Hour+time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// TestCloseIsShort, whatever the peer and our own goroutines do.
func TestCloseIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, prepare := range map[string]func(c *ws.Conn, p *peer){
			"idle":    func(*ws.Conn, *peer) {},
			"reading": func(c *ws.Conn, _ *peer) { reading(c) },
			"writing": func(c *ws.Conn, _ *peer) { go c.Write(frame("x")) },
			"pinged": func(c *ws.Conn, p *peer) {
				reading(c)
				go c.Write(frame("x"))
				synctest.Wait()
				p.send(final|opPing, "")
			},
			"ponging": func(c *ws.Conn, p *peer) {
				reading(c)
				p.send(final|opPing, "")
			},
			"ending": func(c *ws.Conn, _ *peer) {
				reading(c)
				c.CloseWrite()
			},
		} {
			c, p := onPipe(t, ws.Options{})
			prepare(c, p)
			synctest.Wait()
			start := time.Now()
			c.Close()
			if took := time.Since(start); took > 50*time.Millisecond {
				t.Errorf("%s: took %v", name, took)
			}
			p.wantClosed()
			wantEnd(t, c, net.ErrClosed)
			if _, err := c.Write(frame("x")); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: write after close: %v", name, err)
			}
			if err := c.CloseWrite(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			p.Close()
		}
	})
}

func TestCloseSaysThatItGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := onPipe(t, ws.Options{})
		reading(c)
		go c.Close()
		p.want(final|opClose, code(1001))
		p.wantClosed()
		p.Close()
	})
}
