package ws_test

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/transport/ws"
)

func TestMessagesAreFramesBothWays(t *testing.T) {
	near, far := pair(t, ws.Options{})
	batch := append(append(frame("one"), frame("")...), frame("three")...)
	for _, test := range []struct{ from, to net.Conn }{{near, far}, {far, near}} {
		if n, err := test.from.Write(batch); n != len(batch) || err != nil {
			t.Fatalf("wrote %d, %v", n, err)
		}
		for _, want := range []string{"one", "", "three"} {
			wantFrame(t, test.to, want)
		}
		// A frame in pieces, even of its size, is one message.
		whole := frame(strings.Repeat("x", 300))
		for _, b := range whole {
			if n, err := test.from.Write([]byte{b}); n != 1 || err != nil {
				t.Fatalf("wrote %d, %v", n, err)
			}
		}
		wantFrame(t, test.to, strings.Repeat("x", 300))
	}
	if near.RemoteAddr().String() != far.LocalAddr().String() || near.LocalAddr().String() != far.RemoteAddr().String() {
		t.Errorf("addresses: %v %v, %v %v", near.LocalAddr(), near.RemoteAddr(), far.LocalAddr(), far.RemoteAddr())
	}
	for _, c := range []*ws.Conn{near, far} {
		if _, ok := c.NetConn().(*net.TCPConn); !ok {
			t.Errorf("the connection below is a %T", c.NetConn())
		}
	}
}

// TestOneMessageIsOneFrame of websocket, binary, whole and plain.
func TestOneMessageIsOneFrame(t *testing.T) {
	l := listen(t, ws.Options{})
	p := dialByHand(t, l, "/", "Sec-WebSocket-Extensions: permessage-deflate")
	if p.answer.StatusCode != 101 || p.answer.Header.Get("Sec-WebSocket-Extensions") != "" {
		t.Fatalf("got %v", p.answer)
	}
	c := accept(t, l)
	for _, payload := range []string{"", "small", strings.Repeat("a", 126), strings.Repeat("b", 1<<16), strings.Repeat("c", 1<<20)} {
		go c.Write(frame(payload))
		p.want(final|opBinary, payload)
	}
}

func TestOthersMayFragmentAndSendText(t *testing.T) {
	l := listen(t, ws.Options{})
	p := dialByHand(t, l, "/")
	c := accept(t, l)
	p.send(final|opText, "text")
	p.send(opBinary, "one ")
	p.send(opContinuation, "")
	p.send(final|opPing, "in between")
	p.send(opContinuation, "two ")
	p.send(final|opContinuation, "three")
	wantFrame(t, c, "text")
	wantFrame(t, c, "one two three")
	p.want(final|opPong, "in between")
}

// TestEveryCutMessageIsNoMessage: wherever the connection ends, half a message is not
// taken for a whole one.
func TestEveryCutMessageIsNoMessage(t *testing.T) {
	l := listen(t, ws.Options{})
	for _, whole := range []struct {
		name string
		make func(p *peer) []byte
	}{
		{"frame", func(p *peer) []byte { return p.frame(final|opBinary, strings.Repeat("x", 20)) }},
		{"fragments", func(p *peer) []byte { return append(p.frame(opBinary, "abc"), p.frame(final|opContinuation, "d")...) }},
	} {
		for cut := 1; ; cut++ {
			p := dialByHand(t, l, "/")
			c := accept(t, l)
			b := whole.make(p)
			if cut == len(b) {
				break
			}
			p.Write(b[:cut])
			p.Close()
			if n, err := c.Read(make([]byte, 100)); n != 0 || err == nil {
				t.Errorf("%s cut at %d: read %d, %v", whole.name, cut, n, err)
			}
		}
	}
	// A long message whose parts are as long as they are read.
	for _, size := range []int{4092, 8188, 5000} {
		p := dialByHand(t, l, "/")
		c := accept(t, l)
		b := p.frame(final|opBinary, strings.Repeat("x", 100_000))
		p.Write(b[:8+4+2+size])
		p.Close()
		if n, err := c.Read(make([]byte, 100)); n != 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("after %d bytes: read %d, %v", size, n, err)
		}
	}
}

func TestMessageOverTheLimitEndsTheConnection(t *testing.T) {
	l := listen(t, ws.Options{Message: 1000})
	p := dialByHand(t, l, "/")
	c := accept(t, l)
	p.send(final|opBinary, strings.Repeat("x", 1000))
	wantFrame(t, c, strings.Repeat("x", 1000))
	// Of what announces far more than it has nothing is kept ready.
	p.Write([]byte{final | opBinary, 0x80 | 127, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4})
	p.Write(make([]byte, 1001))
	if n, err := c.Read(make([]byte, 100)); n != 0 || err == nil || !strings.Contains(err.Error(), "more than 1000 bytes") {
		t.Errorf("read %d, %v", n, err)
	}
	if first, payload := p.receive(); first != final|opClose || payload[:2] != code(1009) {
		t.Errorf("got %#x %q", first, payload)
	}
	if n, err := c.Write(frame(strings.Repeat("x", 1001))); n != 0 || err == nil || !strings.Contains(err.Error(), "the most is 1000") {
		t.Errorf("wrote %d, %v", n, err)
	}
}

// TestAnnouncedSizeCostsNothing: memory is for what has come.
func TestAnnouncedSizeCostsNothing(t *testing.T) {
	l := listen(t, ws.Options{})
	p := dialByHand(t, l, "/")
	c := accept(t, l)
	b := p.frame(final|opBinary, strings.Repeat("x", 30<<20))[:10_000]
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p.Write(b)
	p.Close()
	wantEnd(t, c, io.ErrUnexpectedEOF)
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 256<<10 {
		t.Errorf("10000 bytes of a large message took %d", got)
	}
}

func TestReadDeadlines(t *testing.T) {
	near, far := pair(t, ws.Options{})
	far.SetReadDeadline(time.Now().Add(time.Hour))
	near.Write(frame("before its deadline"))
	wantFrame(t, far, "before its deadline") // which also clears it

	// One that is cleared while Read waits does not end it, nor does one of the past.
	reading := make(chan error, 1)
	far.SetReadDeadline(time.Now().Add(time.Hour))
	go func() {
		_, err := far.Read(make([]byte, 100))
		reading <- err
	}()
	far.SetReadDeadline(time.Time{})
	near.Write(frame("x"))
	if err := rpctest.Receive(t, "a message is read", reading); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := far.Read(make([]byte, 100))
		reading <- err
	}()
	far.SetDeadline(time.Now().Add(time.Millisecond))
	if err := rpctest.Receive(t, "the deadline ends Read", reading); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	far.SetDeadline(time.Time{})
	wantEnd(t, far, os.ErrDeadlineExceeded) // for good
}

func TestWriteDeadline(t *testing.T) {
	near, far := pair(t, ws.Options{})
	big := frame(strings.Repeat("x", 16<<20))
	far.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := far.Write(big); n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("wrote %d, %v to who does not read", n, err)
	}
	if _, err := far.Write(frame("y")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after a broken message: %v", err)
	}
	far.Close()
	if n, err := io.Copy(io.Discard, near); err == nil {
		t.Errorf("half a message was %d bytes", n)
	}
}
