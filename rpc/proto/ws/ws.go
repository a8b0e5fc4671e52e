package ws

import (
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/internal/envelope"
	"github.com/dserver/dserver/rpc/proto/internal/jsonmessage"
	"github.com/dserver/dserver/rpc/proto/internal/pbmessage"
)

// ID of the protocol, which is never sent, and the names of its kinds for logs.
const (
	ID       byte = 'w'
	NameJSON      = "ws-json"
	NamePB        = "ws-pb"
	NameAuto      = "ws-auto"
)

// The names of the sub protocols in the handshake of websocket.
const (
	SubprotocolJSON = "drpc.json"
	SubprotocolPB   = "drpc.pb"
)

// ErrNotText is what AppendFrame wraps when JSON cannot carry a body.
var ErrNotText = jsonmessage.ErrNotText

// Options choose a form of the sub protocols.
type Options struct {
	// Classic writes the bytes of older writers: without a status, so that every failure
	// of a call reads as a success without a body, and in JSON without "v".
	Classic bool
}

// JSON makes the Proto of one session that speaks drpc.json.
func JSON(s proto.Stream) proto.Proto { return Options{}.JSON(s) }

// PB makes the Proto of one session that speaks drpc.pb. It reads JSON as well, for that
// is what Auto writes to a peer that has not said a word.
func PB(s proto.Stream) proto.Proto { return Options{}.PB(s) }

// Auto makes the Proto of one session that reads both and writes what the peer does.
// Until a message has come, that is what the handshake agreed on, or else JSON.
func Auto(s proto.Stream) proto.Proto { return Options{}.Auto(s) }

// JSON makes the Proto of one session; it is a proto.Factory.
func (o Options) JSON(s proto.Stream) proto.Proto {
	s = withPeer(s)
	return &Proto{envelope.Frame{Stream: s, Payload: o.json(s)}, NameJSON}
}

// PB makes the Proto of one session; it is a proto.Factory.
func (o Options) PB(s proto.Stream) proto.Proto {
	return o.either(s, NamePB, true, false)
}

// Auto makes the Proto of one session; it is a proto.Factory.
func (o Options) Auto(s proto.Stream) proto.Proto {
	return o.either(s, NameAuto, s.Subprotocol == SubprotocolPB, true)
}

func (o Options) either(s proto.Stream, name string, writesPB, follows bool) proto.Proto {
	s = withPeer(s)
	e := &either{json: o.json(s), pb: o.pb(s), follows: follows}
	e.writesPB.Store(writesPB)
	return &Proto{envelope.Frame{Stream: s, Payload: e}, name}
}

func withPeer(s proto.Stream) proto.Stream {
	if s.Peer == nil {
		s.Peer = new(proto.Peer)
	}
	return s
}

func (o Options) json(s proto.Stream) envelope.Payload {
	return &jsonmessage.Payload{Stream: s, Classic: o.Classic, Websocket: true}
}

func (o Options) pb(s proto.Stream) envelope.Payload {
	layout := pbmessage.Layout{Seq: 1, Type: 2, Method: 3, Meta: 4, Codec: 5, Body: 6, Filters: 7, Status: 8}
	return &pbmessage.Payload{Stream: s, Classic: o.Classic, Layout: layout}
}

// Proto is a sub protocol on one session.
type Proto struct {
	envelope.Frame
	name string
}

var (
	_ proto.Factory = JSON
	_ proto.Factory = PB
	_ proto.Factory = Auto
	_ proto.Proto   = (*Proto)(nil)
	_ proto.Sizer   = (*Proto)(nil)
)

// Version gives ID and one of the names.
func (p *Proto) Version() (byte, string) { return ID, p.name }
