package raw

import (
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
)

// ID and Name of the protocol; the id is never sent.
const (
	ID   byte = 6
	Name      = "raw"
)

// Options choose a form of the protocol.
type Options struct {
	// Classic writes the status of a success in full, as older writers do. The
	// default leaves it empty, which all readers take as success.
	Classic bool
}

// New makes the Proto of one session in the default form.
func New(s proto.Stream) proto.Proto { return Options{}.New(s) }

// New makes the Proto of one session; it is a proto.Factory.
func (o Options) New(s proto.Stream) proto.Proto {
	if s.Peer == nil {
		s.Peer = new(proto.Peer)
	}
	return &Proto{stream: s, classic: o.Classic}
}

// Proto is the raw protocol on one session.
type Proto struct {
	stream  proto.Stream
	classic bool
	method  string // that was read last: most sessions call few methods again and again
}

var (
	_ proto.Factory = New
	_ proto.Proto   = (*Proto)(nil)
	_ proto.Framer  = (*Proto)(nil)
	_ proto.Sizer   = (*Proto)(nil)
)

// Version gives ID and Name.
func (p *Proto) Version() (byte, string) { return ID, Name }

// Pack writes one frame.
func (p *Proto) Pack(m *message.Message) error { return proto.Pack(p.stream.Writer, p, m) }

// Unpack reads one frame.
func (p *Proto) Unpack(m *message.Message) error { return proto.Unpack(p.stream.Reader, p, m) }
