package pb

import (
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/internal/envelope"
	"github.com/dserver/dserver/rpc/proto/internal/pbmessage"
)

// ID and Name of the protocol; the id is never sent.
const (
	ID   byte = 'p'
	Name      = "protobuf"
)

// Options choose a form of the protocol.
type Options struct {
	// Classic writes the status of a success in full, as older writers do. The
	// default leaves it out, which all readers take as success.
	Classic bool
}

// New makes the Proto of one session in the default form.
func New(s proto.Stream) proto.Proto { return Options{}.New(s) }

// New makes the Proto of one session; it is a proto.Factory.
func (o Options) New(s proto.Stream) proto.Proto {
	if s.Peer == nil {
		s.Peer = new(proto.Peer)
	}
	layout := pbmessage.Layout{Seq: 1, Type: 2, Method: 3, Status: 4, Meta: 5, Codec: 6, Body: 7}
	return &Proto{envelope.NewFiltered(s, &pbmessage.Payload{Stream: s, Classic: o.Classic, Layout: layout})}
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
