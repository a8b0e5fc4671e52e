package ws_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/transport/ws"
)

// TestOrderlyEnds: both sides learn it, whoever begins, and both at once; what was
// written before is there to read.
func TestOrderlyEnds(t *testing.T) {
	for _, begins := range [][]bool{{true, false}, {false, true}, {true, true}} {
		near, far := pair(t, ws.Options{})
		read := make(chan error, 2)
		for i, c := range []*ws.Conn{near, far} {
			c.Write(frame("before"))
			if begins[i] {
				c.CloseWrite()
			}
			go func() {
				b, err := io.ReadAll(c)
				if err == nil && string(b) != string(frame("before")) {
					err = fmt.Errorf("read %q", b)
				}
				read <- err
			}()
		}
		for range 2 {
			if err := rpctest.Receive(t, "an end", read); err != nil {
				t.Errorf("%v: %v", begins, err)
			}
		}
	}
}

func TestCloseCodesOfThePeer(t *testing.T) {
	l := listen(t, ws.Options{})
	for _, test := range []struct {
		payload string
		code    int // 0 is orderly
	}{
		{code(1000), 0}, {code(1001) + "bye", 0}, {"", 0}, {code(1012), 0},
		{code(1002), 1002}, {code(1011) + "broken", 1011}, {code(4000) + strings.Repeat("x", 123), 4000},
	} {
		p := dialByHand(t, l, "/")
		c := accept(t, l)
		p.send(final|opClose, test.payload)
		_, err := c.Read(make([]byte, 100))
		var end *ws.CloseError
		switch {
		case test.code == 0 && err != io.EOF:
			t.Errorf("%q: got %v", test.payload, err)
		case test.code != 0 && (!errors.As(err, &end) || end.Code != test.code || end.Reason != test.payload[2:]):
			t.Errorf("%q: got %v", test.payload, err)
		}
		p.want(final|opClose, test.payload)
		p.wantClosed()
		wantEnd(t, c, err)
	}
	// As older peers leave: without a word.
	p := dialByHand(t, l, "/")
	c := accept(t, l)
	p.Close()
	wantEnd(t, c, io.EOF)
}

func TestBrokenFramesEndTheConnection(t *testing.T) {
	l := listen(t, ws.Options{})
	unmasked := &peer{}
	for name, b := range map[string][]byte{
		"not masked":            unmasked.frame(final|opBinary, "x"),
		"reserved bits":         {final | 0x40 | opBinary, 0x80, 0, 0, 0, 0},
		"unknown kind":          {final | 3, 0x80, 0, 0, 0, 0},
		"continues nothing":     {final | opContinuation, 0x80, 0, 0, 0, 0},
		"long ping":             {final | opPing, 0x80 | 126, 1, 0, 0, 0, 0, 0},
		"ping in fragments":     {opPing, 0x80, 0, 0, 0, 0},
		"negative size":         {final | opBinary, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0},
		"close of one byte":     {final | opClose, 0x81, 0, 0, 0, 0, 3},
		"close of no such code": {final | opClose, 0x82, 0, 0, 0, 0, 3, 0xed},
		"new message inside":    {opBinary, 0x80, 0, 0, 0, 0, final | opBinary, 0x80, 0, 0, 0, 0},
	} {
		p := dialByHand(t, l, "/")
		c := accept(t, l)
		p.Write(b)
		if n, err := c.Read(make([]byte, 100)); n != 0 || err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: read %d, %v", name, n, err)
		}
		c.Close()
		p.wantClosed()
	}
}

// TestEverythingAtOnce is for the race detector.
func TestEverythingAtOnce(t *testing.T) {
	for range 20 {
		near, far := pair(t, ws.Options{})
		var all sync.WaitGroup
		for _, c := range []*ws.Conn{near, far} {
			for range 3 {
				all.Go(func() {
					for {
						if _, err := c.Write(frame("x")); err != nil {
							return
						}
					}
				})
			}
			all.Go(func() { io.Copy(io.Discard, c) })
		}
		all.Go(func() { near.CloseWrite() })
		all.Go(func() { far.CloseWrite() })
		all.Go(func() { near.Close() })
		all.Go(func() { near.Close() })
		all.Go(func() { far.Close() })
		all.Wait()
	}
}
