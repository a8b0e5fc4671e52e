package rpc

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/json"
	"github.com/dserver/dserver/rpc/proto/raw"
	"github.com/dserver/dserver/rpc/transport/memory"
)

// piecesConn is read in pieces of any size.
type piecesConn struct {
	net.Conn
	rest   []byte
	random *rand.Rand
}

func (c *piecesConn) Read(b []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := 1 + c.random.IntN(1<<c.random.IntN(18))
	n = copy(b, c.rest[:min(n, len(c.rest))])
	c.rest = c.rest[n:]
	return n, nil
}

func (*piecesConn) SetReadDeadline(time.Time) error { return nil }

// Whatever the sizes of frames, and however they come, each is read once and whole; a
// body that was detached stays as it is.
func TestLargeAndSmallFramesInAnyPieces(t *testing.T) {
	for name, factory := range map[string]proto.Factory{"raw": raw.New, "json": json.New} {
		t.Run(name, func(t *testing.T) {
			for range 10 {
				readPieces(t, factory)
			}
		})
	}
}

func readPieces(t *testing.T, factory proto.Factory) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	framer := factory(proto.Stream{}).(proto.Framer)
	var stream []byte
	var want [][]byte
	for n := range 12 {
		body := bytes.Repeat([]byte{byte('a' + n)}, random.IntN(1<<random.IntN(18)))
		var err error
		if stream, err = framer.AppendFrame(stream, &message.Message{Type: message.Push, Method: "/m", Seq: int32(n), Codec: 's', Body: body}); err != nil {
			t.Fatal(err)
		}
		want = append(want, body)
	}
	pool := &bufferPool{poison: true}
	r := newFrameReader(patientConn{Conn: &piecesConn{rest: stream, random: random}}, framer, 1<<20, pool)
	var kept [][]byte
	for n := range want {
		var m message.Message
		if err := r.next(&m); err != nil || m.Seq != int32(n) || !bytes.Equal(m.Body, want[n]) {
			t.Fatalf("seed %d: frame %d is number %d with %d bytes for %d: %v", seed, n, m.Seq, len(m.Body), len(want[n]), err)
		}
		body := m.Body
		if r.detach(body) == nil {
			body = bytes.Clone(body)
		}
		kept = append(kept, body)
	}
	if err := r.next(new(message.Message)); err != io.EOF {
		t.Errorf("seed %d: at the end: %v", seed, err)
	}
	for n := range kept {
		if !bytes.Equal(kept[n], want[n]) {
			t.Errorf("seed %d: the body of frame %d has changed", seed, n)
		}
	}
}

// A body in memory of its own is not copied, and the memory is used again.
func TestLargeBodiesAreHandedOn(t *testing.T) {
	framer := raw.New(proto.Stream{}).(proto.Framer)
	var stream []byte
	for range 3 {
		stream, _ = framer.AppendFrame(stream, &message.Message{Type: message.Push, Body: make([]byte, 64<<10)})
	}
	r := newFrameReader(patientConn{Conn: &piecesConn{rest: stream, random: rand.New(rand.NewPCG(1, 1))}}, framer, 1<<20, new(bufferPool))
	for i := range 3 {
		var m message.Message
		if err := r.next(&m); err != nil {
			t.Fatal(err)
		}
		switch frame := r.detach(m.Body); {
		case frame == nil:
			t.Errorf("body %d must be copied", i)
		case r.detach(m.Body) != nil:
			t.Errorf("body %d was given twice", i)
		default:
			r.large.bufs.put(frame)
		}
	}
}

// A size field is worth no memory: that comes with the bytes.
func TestAClaimOfALargeFrameCostsNothing(t *testing.T) {
	for _, sent := range []int{4, 100, 4 << 10} {
		near, far := memory.Pipe(memory.Addr("x"))
		head := make([]byte, sent)
		copy(head, []byte{0, 0xff, 0xff, 0xff, 6, 0})
		go func() {
			near.Write(head)
			near.Close()
		}()
		r := newFrameReader(patientConn{Conn: far, patience: time.Minute}, raw.New(proto.Stream{}).(proto.Framer), 16<<20, new(bufferPool))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := r.next(new(message.Message))
		runtime.ReadMemStats(&after)
		if bad := (*frameError)(nil); !errors.As(err, &bad) {
			t.Errorf("got %v", err)
		}
		if got, most := after.TotalAlloc-before.TotalAlloc, uint64(2*largeAllowance*sent+64<<10); got > most {
			t.Errorf("%d bytes of a frame cost %d, want at most %d", sent, got, most)
		}
		far.Close()
	}
}

// boastful announces another size than it cuts.
type boastful struct {
	proto.Framer
	size, cut int
}

func (b boastful) FrameSize(part []byte) (int, error) { return b.size, nil }

func (b boastful) CutFrame(part []byte, _ *message.Message) (int, error) {
	if len(part) < b.size {
		return 0, nil
	}
	return b.cut, nil
}

// A protocol that is wrong about its sizes ends its session; it must not be asked for
// ever.
func TestAProtocolIsHeldToTheSizeThatItAnnounces(t *testing.T) {
	for want, framer := range map[string]boastful{
		"announces 100000 bytes of a frame and cuts 0":     {size: 100_000},
		"announces 100000 bytes of a frame and cuts 99999": {size: 100_000, cut: 99_999},
		"more than 200000 bytes":                           {size: 300_000, cut: 300_000},
	} {
		conn := &piecesConn{rest: make([]byte, 400_000), random: rand.New(rand.NewPCG(1, 1))}
		r := newFrameReader(patientConn{Conn: conn}, framer, 200_000, new(bufferPool))
		var bad *frameError
		if err := r.next(new(message.Message)); !errors.As(err, &bad) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
