package jsonrpc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
)

// ID and Name of the protocol; the id is never sent.
const (
	ID   byte = 3
	Name      = "jsonrpc"
)

// What AppendFrame wraps when a line cannot say what it is asked to.
var (
	ErrNotJSON    = errors.New("the protocol carries JSON only")
	ErrFiltered   = errors.New("the protocol has no filters")
	ErrNotCarried = errors.New("the peer does not take such a message")
)

// Options choose a form of the protocol.
type Options struct {
	// Classic writes the bytes of older writers: filters are ignored, an error has no
	// cause, and everybody is answered as such a peer. It is for peers that are known to
	// be old, and never sends a PUSH.
	Classic bool
}

// New makes the Proto of one session in the default form.
func New(s proto.Stream) proto.Proto { return Options{}.New(s) }

// New makes the Proto of one session; it is a proto.Factory.
func (o Options) New(s proto.Stream) proto.Proto {
	if s.Peer == nil {
		s.Peer = new(proto.Peer)
	}
	return &Proto{stream: s, classic: o.Classic, calls: newCalls(s.Limits.Message)}
}

// Proto is the protocol on one session.
type Proto struct {
	stream  proto.Stream
	classic bool
	calls   *calls

	strict atomic.Bool // the peer writes without context, as JSON-RPC 2.0 has it
	called atomic.Bool // it was asked something, so that it may reply

	// The rest belongs to who reads.

	scanned int     // bytes at the start of the buffer that are known to have no end of a line
	queue   []entry // of a batch, not yet handed on
	rest    []byte  // of Unpack: what is not yet handed on
	long    []byte  // of Unpack: a line that is longer than its reader's buffer
}

var (
	_ proto.Factory    = New
	_ proto.Proto      = (*Proto)(nil)
	_ proto.Framer     = (*Proto)(nil)
	_ proto.Particular = (*Proto)(nil)
)

// Version gives ID and Name.
func (p *Proto) Version() (byte, string) { return ID, Name }

// Traits tell that bodies are JSON, and that there is no way to say goodbye.
func (p *Proto) Traits() proto.Traits {
	return proto.Traits{Codec: codec.IDJSON, Untold: true, HalfClose: true}
}

// Pack writes one line, or nothing for an answer in a batch that has others to come.
func (p *Proto) Pack(m *message.Message) error { return proto.Pack(p.stream.Writer, p, m) }

// Unpack reads one line, or takes the next message of a batch.
func (p *Proto) Unpack(m *message.Message) error {
	if len(p.rest) == 0 {
		if err := p.readLine(); err != nil {
			return err
		}
	}
	n, err := p.CutFrame(p.rest, m)
	p.rest = p.rest[n:]
	return err
}

// readLine fills rest with a line. One that is too long comes without its end, for
// CutFrame to refuse.
func (p *Proto) readLine() error {
	limit := p.stream.Limits.Message
	p.long = nil
	for {
		piece, err := p.stream.Reader.ReadSlice('\n')
		full := errors.Is(err, bufio.ErrBufferFull)
		switch {
		case err == nil && p.long == nil:
			p.rest = piece
			return nil
		case err == nil || full:
			p.long = append(p.long, piece...)
		case errors.Is(err, io.EOF) && len(p.long)+len(piece) > 0:
			return fmt.Errorf("cannot read the rest of a line after %d bytes: %w", len(p.long)+len(piece), io.ErrUnexpectedEOF)
		default:
			return err
		}
		if !full || limit > 0 && len(p.long) > limit {
			p.rest = p.long
			return nil
		}
	}
}
