package proto

import (
	"bufio"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/dserver/dserver/rpc/filter"
	"github.com/dserver/dserver/rpc/message"
)

// Proto writes and reads the messages of one session.
type Proto interface {
	// Version gives the id and the name of the protocol, for logs.
	Version() (id byte, name string)
	// Pack writes all of m to the stream's Writer and sets m.Size. After an error
	// nothing that it wrote is sent, and the session goes on. What is packed first is
	// sent first, so it may write nothing and hold a copy of m back until others are
	// packed: m and its Body are the caller's again when Pack returns.
	Pack(m *message.Message) error
	// Unpack reads the next message from the stream's Reader into m, which is
	// empty, and sets m.Size. m.Body and m.Filters need to stay valid only until
	// the next call. An error ends the session: io.EOF before the first byte is
	// the orderly end. If m.Refusal is set as well its Call is answered before.
	Unpack(m *message.Message) error
}

// Framer is a Proto whose messages can be told apart in a buffer. The endpoint
// then reads many frames at once and encodes on many goroutines at once.
type Framer interface {
	// AppendFrame appends all of m to dst and sets m.Size, or nothing, as Pack may. After
	// an error the result is dst as it was.
	AppendFrame(dst []byte, m *message.Message) ([]byte, error)
	// CutFrame reads the message at the start of buf into m, which is empty, and
	// returns its size in buf. 0 without an error means that bytes are missing.
	// The strings of m are its own; m.Body and m.Filters may point into buf.
	CutFrame(buf []byte, m *message.Message) (n int, err error)
}

// Traits say in what a protocol is not like the others.
type Traits struct {
	// Codec is the only one that its bodies can have; 0 is any.
	Codec byte
	// InOrder is for peers who expect that their calls are handled one after the other.
	// What is written is then packed by Pack, also of a Framer. Who sends ahead of what is
	// handled is not refused, but read no further.
	InOrder bool
	// HalfClose is for peers who may close their side and still wait for answers, as
	// programs do that send what they read from a pipe.
	HalfClose bool
	// Untold is a protocol that cannot ask its peer to go elsewhere: who drains hangs up
	// when a session has been idle for a moment.
	Untold bool
}

// Particular is a Proto that has traits. They do not change.
type Particular interface {
	Traits() Traits
}

// Factory makes the Proto of one session.
type Factory func(s Stream) Proto

// Stream is all that a Proto gets of its session.
type Stream struct {
	Reader *bufio.Reader // nil for a Framer that is used as such
	Writer io.Writer     // into memory: never blocks, never fails
	Limits Limits
	Peer   *Peer
	// Interim sends b at once, behind everything that Pack wrote before: what cannot wait
	// for an answer, or is none. Unpack may call it, Pack must not. It never blocks.
	Interim func(b []byte)
	// Filters are those of the endpoint; nil is none. A message that names another one
	// cannot be written, and ends the session that reads it.
	Filters *filter.Registry
	// Subprotocol is what the connection's own handshake agreed on, as that of websocket
	// can; empty is nothing.
	Subprotocol string
}

// Limits bound what one message may cost, both ways.
type Limits struct {
	// Message is how many bytes a frame has at most, as its size field counts them, and
	// how many what it is without its filters.
	Message  int
	Metadata int // bytes of the metadata text
}

// CheckMetadata refuses a metadata text of size bytes that is over the limit; 0 is none.
func (l Limits) CheckMetadata(size int) error {
	if l.Metadata > 0 && size > l.Metadata {
		return fmt.Errorf("metadata has %d bytes, the most is %d: %w", size, l.Metadata, ErrTooLarge)
	}
	return nil
}

// ErrTooLarge is what a Proto wraps when a message exceeds its limits.
var ErrTooLarge = filter.ErrTooLarge

// Peer collects what the bytes reveal about the other side. It may be used from
// any goroutine.
type Peer struct {
	ours   atomic.Bool
	untold atomic.Bool
}

// MarkOurs notes that the peer did what only this implementation does, so that
// it understands our additions to the protocols.
func (p *Peer) MarkOurs() {
	if !p.ours.Load() {
		p.ours.Store(true)
	}
}

// Ours tells whether the peer is known to be of this implementation.
func (p *Peer) Ours() bool { return p.ours.Load() }

// MarkUntold notes that the peer cannot be asked to go elsewhere, as Traits.Untold says
// of all peers of a protocol.
func (p *Peer) MarkUntold() {
	if !p.untold.Load() {
		p.untold.Store(true)
	}
}

// Untold tells whether the peer cannot be asked to go elsewhere.
func (p *Peer) Untold() bool { return p.untold.Load() }
