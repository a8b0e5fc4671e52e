package memory_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/dserver/dserver/rpc/transport/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBytesArriveInOrderInAnyPieces(t *testing.T) {
	near, far := memory.Pipe(memory.Addr("x"))
	sent := make([]byte, 3<<20)
	for i := range sent {
		sent[i] = byte(rand.Uint32())
	}
	go func() {
		for rest := sent; len(rest) > 0; {
			n := min(len(rest), 1+rand.IntN(200_000))
			near.Write(rest[:n])
			rest = rest[n:]
		}
		near.CloseWrite()
	}()
	var got bytes.Buffer
	buf := make([]byte, 200_000)
	for {
		n, err := far.Read(buf[:1+rand.IntN(len(buf)-1)])
		got.Write(buf[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got.Bytes(), sent) {
		t.Error("what came is not what went")
	}
	near.Close()
	far.Close()
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := memory.Pipe(memory.Addr("x"))
		defer far.Close()
		start := time.Now()
		near.SetReadDeadline(start.Add(time.Second))
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("read: %v after %v", err, time.Since(start))
		}
		near.SetDeadline(time.Now().Add(time.Second))
		if n, err := near.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) || n != 64<<10 {
			t.Errorf("write: %d, %v", n, err)
		}
		// A deadline that is taken back lets go on, bytes and all.
		near.SetDeadline(time.Time{})
		go io.Copy(io.Discard, far)
		if n, err := near.Write(make([]byte, 1<<20)); n != 1<<20 || err != nil {
			t.Errorf("after the deadline was removed: %d, %v", n, err)
		}
		near.SetReadDeadline(time.Unix(1, 0))
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("past deadline: %v", err)
		}
		near.Close()
	})
}

func TestDeadlineEndsAWaitThatHasBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := memory.Pipe(memory.Addr("x"))
		defer near.Close()
		defer far.Close()
		failed := make(chan error)
		go func() {
			_, err := near.Read(make([]byte, 1))
			failed <- err
		}()
		synctest.Wait()
		near.SetReadDeadline(time.Now())
		if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestTryWriteNeverWaits(t *testing.T) {
	near, far := memory.Pipe(memory.Addr("x"))
	defer far.Close()
	if n, err := near.TryWrite(make([]byte, 100<<10)); n != 64<<10 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	if n, err := near.TryWrite([]byte("x")); n != 0 || err != nil {
		t.Errorf("full: got %d, %v", n, err)
	}
	near.Close()
	if _, err := near.TryWrite([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestClose(t *testing.T) {
	near, far := memory.Pipe(memory.Addr("x"))
	if _, err := near.Write([]byte("last words")); err != nil {
		t.Fatal(err)
	}
	near.Close()
	near.Close()
	if b, err := io.ReadAll(far); string(b) != "last words" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
	if _, err := far.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("write to a closed end: %v", err)
	}
	if _, err := near.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read after close: %v", err)
	}
	far.Close()
}

func TestNamesAreTakenOnceAndFreedByClose(t *testing.T) {
	n := memory.New()
	first, err := n.Listen(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Listen(t.Context(), "a"); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("second listener: %v", err)
	}
	if _, err := n.Dial(t.Context(), "b"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody there: %v", err)
	}
	conn, err := n.Dial(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	first.Close()
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a connection that nobody accepted: %v", err)
	}
	conn.Close()
	if _, err := first.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after close: %v", err)
	}
	second, err := n.Listen(t.Context(), "a")
	if err != nil {
		t.Errorf("the name is not free: %v", err)
	}
	second.Close()
}

func TestDialWaitsForRoomUntilItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memory.New()
		ln, err := n.Listen(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for {
			conn, err := n.Dial(ctx, "a")
			if err != nil {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				return
			}
			defer conn.Close()
		}
	})
}

func TestCloseUnderLoad(t *testing.T) {
	n := memory.New()
	var all sync.WaitGroup
	for range 50 {
		ln, err := n.Listen(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			all.Go(func() {
				if conn, err := n.Dial(t.Context(), "a"); err == nil {
					conn.Read(make([]byte, 1))
					conn.Close()
				}
			})
		}
		all.Go(func() {
			for {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				conn.Close()
			}
		})
		ln.Close()
	}
	all.Wait()
}
