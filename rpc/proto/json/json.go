package json

import (
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/internal/envelope"
	"github.com/dserver/dserver/rpc/proto/internal/jsonmessage"
)

// ID and Name of the protocol; the id is never sent.
const (
	ID   byte = 'j'
	Name      = "json"
)

// ErrNotText is what AppendFrame wraps when a body is not UTF-8.
var ErrNotText = jsonmessage.ErrNotText

// Options choose a form of the protocol.
type Options struct {
	// Classic writes the bytes of older writers: without "v", and quoted by the rules of
	// Go wherever that can be read again. It is for peers that are known to be old: what
	// they send is read by the reverse of what they do before anything else is tried.
	Classic bool
}

// New makes the Proto of one session in the default form.
func New(s proto.Stream) proto.Proto { return Options{}.New(s) }

// New makes the Proto of one session; it is a proto.Factory.
func (o Options) New(s proto.Stream) proto.Proto {
	if s.Peer == nil {
		s.Peer = new(proto.Peer)
	}
	return &Proto{envelope.NewFiltered(s, &jsonmessage.Payload{Stream: s, Classic: o.Classic})}
}

// Proto is the protocol on one session.
type Proto struct{ envelope.Frame }

var (
	_ proto.Factory = New
	_ proto.Proto   = (*Proto)(nil)
	_ proto.Sizer   = (*Proto)(nil)
)

// Version gives ID and Name.
func (p *Proto) Version() (byte, string) { return ID, Name }
