package rpc

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/raw"
	"github.com/dserver/dserver/rpc/transport/memory"
)

func TestLifeMovesForwardOnly(t *testing.T) {
	if len(after) != int(over)+1 || len(after[over]) != 0 {
		t.Fatal("the table does not end in over")
	}
	for from, next := range after {
		for _, to := range next {
			if to <= stage(from) {
				t.Errorf("%d to %d goes back", from, to)
			}
		}
	}
	var l life
	var won atomic.Int64
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if l.advance(leaving) {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 || l.stage() != leaving || !l.advance(over) || l.advance(leaving) || l.advance(over) {
		t.Errorf("%d made the move, stage %d", won.Load(), l.stage())
	}
}

func TestF73HugeBuffersAreNotKept(t *testing.T) {
	var p bufferPool
	p.put(&buffer{make([]byte, 0, maxPooledBuffer+1)})
	p.put(&buffer{make([]byte, 0, 1)})
	for range 10 {
		for _, size := range []int{0, maxPooledBuffer} {
			if b := p.get(size).b; len(b) != 0 || cap(b) > maxPooledBuffer || cap(b) < max(size, 1<<10) {
				t.Errorf("got a buffer of %d bytes with room for %d, wanted %d", len(b), cap(b), size)
			}
		}
	}
	near, far := memory.Pipe(memory.Addr("x"))
	defer near.Close()
	defer far.Close()
	p1 := raw.New(proto.Stream{Writer: writerFunc(func(b []byte) (int, error) {
		go near.Write(b)
		return len(b), nil
	})})
	r := newFrameReader(patientConn{Conn: far, patience: time.Second}, raw.New(proto.Stream{}).(proto.Framer), 16<<20, new(bufferPool))
	for _, size := range []int{1 << 20, 1} {
		if err := p1.Pack(&message.Message{Type: message.Push, Body: make([]byte, size)}); err != nil {
			t.Fatal(err)
		}
		var m message.Message
		if err := r.next(&m); err != nil || len(m.Body) != size {
			t.Fatalf("got %d bytes, %v", len(m.Body), err)
		}
	}
	if len(r.buf) > maxReadBufferSize {
		t.Errorf("the reader keeps %d bytes", len(r.buf))
	}
}

type writerFunc func(b []byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestWorkersAreUsedAgainAndWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkers()
		var ran atomic.Int64
		for range 3 {
			for range 2 * maxIdleWorkers {
				w.run(func() { ran.Add(1) })
			}
			synctest.Wait()
		}
		if ran.Load() != 6*maxIdleWorkers || w.count > maxIdleWorkers {
			t.Errorf("%d ran, %d goroutines stay", ran.Load(), w.count)
		}
		release := make(chan struct{})
		w.run(func() { <-release })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.stop(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 workers") {
			t.Errorf("got %v", err)
		}
		close(release)
		if err := w.stop(t.Context()); err != nil {
			t.Error(err)
		}
		w.run(func() { ran.Add(1) }) // late, but it runs
		synctest.Wait()
		if ran.Load() != 6*maxIdleWorkers+1 || w.count != 0 {
			t.Errorf("%d ran, %d goroutines stay", ran.Load(), w.count)
		}
	})
}

// A slow line may carry a big message; a peer that trickles may not hold its
// place.
func TestPatienceIsForBytesNotForTime(t *testing.T) {
	tests := []struct {
		name  string
		chunk int
		pause time.Duration
		ok    bool
	}{
		{"steady", 16 << 10, 2 * time.Second, true},
		{"trickle", 100, time.Second, false},
		{"stop", 16 << 10, 11 * time.Second, false},
	}
	frame, err := raw.New(proto.Stream{}).(proto.Framer).AppendFrame(nil, &message.Message{Type: message.Push, Body: make([]byte, 1<<20)})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := memory.Pipe(memory.Addr("x"))
				var sender sync.WaitGroup
				sender.Go(func() {
					for rest := frame; len(rest) > 0; {
						n := min(test.chunk, len(rest))
						if _, err := near.Write(rest[:n]); err != nil {
							return
						}
						rest = rest[n:]
						time.Sleep(test.pause)
					}
				})
				start := time.Now()
				r := newFrameReader(patientConn{Conn: far, patience: 10 * time.Second}, raw.New(proto.Stream{}).(proto.Framer), 16<<20, new(bufferPool))
				var m message.Message
				err := r.next(&m)
				var bad *frameError
				if (err == nil) != test.ok || err != nil && !errors.As(err, &bad) {
					t.Errorf("after %v: %v", time.Since(start), err)
				}
				if !test.ok && time.Since(start) > 21*time.Second {
					t.Errorf("held out for %v", time.Since(start))
				}
				near.Close()
				far.Close()
				sender.Wait()
			})
		})
	}
}

// A peer may be silent for ever between its messages, whatever pieces they came
// in.
func TestSilenceBetweenMessagesIsNoFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := memory.Pipe(memory.Addr("x"))
		f := raw.New(proto.Stream{}).(proto.Framer)
		frame, err := f.AppendFrame(nil, &message.Message{Type: message.Push, Body: []byte("body")})
		if err != nil {
			t.Fatal(err)
		}
		var sender sync.WaitGroup
		sender.Go(func() {
			for range 3 {
				for _, part := range [][]byte{frame[:3], frame[3:]} {
					near.Write(part)
					time.Sleep(9 * time.Second)
				}
				time.Sleep(24 * time.Hour)
			}
			near.Close()
		})
		r := newFrameReader(patientConn{Conn: far, patience: 10 * time.Second}, f, 1000, new(bufferPool))
		for range 3 {
			var m message.Message
			if err := r.next(&m); err != nil || string(m.Body) != "body" {
				t.Errorf("got %q, %v", m.Body, err)
			}
		}
		if err := r.next(new(message.Message)); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
		far.Close()
		sender.Wait()
	})
}

func TestReaderWithoutFrameSizeIsBounded(t *testing.T) {
	near, far := memory.Pipe(memory.Addr("x"))
	go func() {
		for {
			if _, err := near.Write(make([]byte, 1000)); err != nil {
				return
			}
		}
	}()
	buffered := new(bufio.Reader)
	source := newStreamReader(patientConn{Conn: far, patience: time.Second}, endlessProto{buffered}, buffered, 50_000)
	err := source.next(new(message.Message))
	if !errors.Is(err, proto.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	near.Close()
	far.Close()
}

// endlessProto reads without end.
type endlessProto struct{ r *bufio.Reader }

func (endlessProto) Version() (byte, string)     { return 'e', "endless" }
func (endlessProto) Pack(*message.Message) error { return nil }
func (p endlessProto) Unpack(m *message.Message) error {
	_, err := io.Copy(io.Discard, p.r)
	return err
}

// countingConn counts the writes of a session.
type countingConn struct {
	*memory.Conn
	writes atomic.Int64
}

func (c *countingConn) TryWrite(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.TryWrite(b)
}

func (c *countingConn) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

// Many callers share system calls; one caller needs one per call.
func TestWritesAreBatched(t *testing.T) {
	for _, test := range []struct {
		callers     int
		least, most float64 // writes per call
	}{{1, 1, 1}, {100, 0, 0.7}} {
		e, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		if err := Handle(e, "/echo", func(_ Context, v []byte) ([]byte, error) { return v, nil }); err != nil {
			t.Fatal(err)
		}
		near, far := memory.Pipe(memory.Addr("x"))
		conn := &countingConn{Conn: near}
		s, err := e.ServeConn(conn)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.ServeConn(far); err != nil {
			t.Fatal(err)
		}
		const calls = 5000
		var all sync.WaitGroup
		for range test.callers {
			all.Go(func() {
				for range calls / test.callers {
					if err := s.Call(t.Context(), "/echo", []byte("x"), nil); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
		if per := float64(conn.writes.Load()) / calls; per < test.least || per > test.most {
			t.Errorf("%d callers: %v writes per call", test.callers, per)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A socket that takes nothing leaves the rest to a worker, in order.
func TestWriterKeepsTheOrderOverAFullSocket(t *testing.T) {
	for _, network := range []string{"tcp", "unix", "mem", "pipe"} {
		t.Run(network, func(t *testing.T) {
			near, far := connected(t, network)
			workers := newWorkers()
			w := &writer{
				conn: near, try: newTryWriter(near), most: 1 << 16, bufs: new(bufferPool), spawn: workers.run,
				busy: func() bool { return true }, fail: func(err error) { t.Error(err) }, ended: func() { near.Close() },
			}
			if (w.try == nil) != (network == "pipe") {
				t.Errorf("try writer: %v", w.try)
			}
			const frames, size = 2000, 5000
			go func() {
				for i := range frames {
					frame := make([]byte, size)
					frame[0], frame[1] = byte(i>>8), byte(i)
					if err := w.write(t.Context(), waitContext, &buffer{slices.Clone(frame)}, nil); err != nil {
						t.Error(err)
					}
				}
				w.finish()
			}()
			frame := make([]byte, size)
			for i := range frames {
				if _, err := io.ReadFull(far, frame); err != nil {
					t.Fatal(err)
				}
				if got := int(frame[0])<<8 | int(frame[1]); got != i {
					t.Fatalf("frame %d came when %d was due", got, i)
				}
			}
			if _, err := far.Read(frame); err != io.EOF {
				t.Errorf("at the end: %v", err)
			}
			far.Close()
			if err := w.write(t.Context(), waitContext, &buffer{slices.Clone(frame)}, nil); !errors.Is(err, net.ErrClosed) {
				t.Errorf("after the end: %v", err)
			}
			if err := workers.stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func connected(t *testing.T, network string) (near, far net.Conn) {
	switch network {
	case "mem":
		return memory.Pipe(memory.Addr("x"))
	case "pipe":
		return net.Pipe()
	}
	address := "127.0.0.1:0"
	if network == "unix" {
		address = t.TempDir() + "/s"
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if near, err = net.Dial(network, ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	return near, far
}
