package redis

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/internal/inorder"
)

// ID and Name of the protocol; the id is never sent.
const (
	ID   byte = 'r'
	Name      = "redis"
)

// Metadata of the commands HELLO and CLIENT: what the connection has besides.
const (
	MetaVersion = "Redis-Version"     // of RESP that the answer and all that follows have: 2 or 3
	MetaName    = "Redis-Client-Name" // that the client gave itself, if it did
)

// Options choose a form of the protocol.
type Options struct {
	// Prefix is what the routes of all commands begin with; default "/redis", so that GET
	// is a call of /redis/get. "/" makes it /get.
	Prefix string
}

// New makes the Proto of one session with the default prefix.
func New(s proto.Stream) proto.Proto { return Options{}.New(s) }

// New makes the Proto of one session; it is a proto.Factory.
func (o Options) New(s proto.Stream) proto.Proto {
	if s.Peer == nil {
		s.Peer = new(proto.Peer)
	}
	p := &Proto{stream: s, prefix: o.prefix(), most: s.Limits.Message, calls: inorder.New[note](1)}
	if p.most <= 0 {
		p.most = noLimit
	}
	p.version.Store(2)
	return p
}

// prefix ends with a slash.
func (o Options) prefix() string {
	switch trimmed := strings.Trim(o.Prefix, "/"); {
	case o.Prefix == "":
		return "/redis/"
	case trimmed == "":
		return "/"
	default:
		return "/" + trimmed + "/"
	}
}

// Whoever sends on in spite of these bounds is disconnected.
const (
	maxWaiting = 1 << 14 // commands that are not answered
	maxHeld    = 4 << 20 // bytes of answers that wait for their turn
)

// Proto is the protocol on one session: that of a server, until it is told to call.
type Proto struct {
	stream  proto.Stream
	prefix  string
	most    int // bytes of a frame
	side    atomic.Int32
	version atomic.Int32 // of RESP, that the peer reads

	// Of the peer's commands.
	mu     sync.Mutex // guards these
	calls  *inorder.Queue[note]
	asking int    // how many that may change the version are not answered
	answer []byte // memory that is used again

	sent  sent   // our own
	frame []byte // memory of Pack that is used again

	// The reader's alone.
	scan  scanner
	args  [][]byte // memory that is used again, as that of body
	body  []byte
	name  string // of the client
	asked int32  // the version, once all that was read is answered
}

// The sides, each by what came first.
const (
	undecided int32 = iota
	server
	client
)

// note is what the answer to a command depends on.
type note struct {
	text    string // the command as an error quotes it
	version int32  // that a success sets; 0 is none
}

var (
	_ proto.Factory    = New
	_ proto.Proto      = (*Proto)(nil)
	_ proto.Sizer      = (*Proto)(nil)
	_ proto.Particular = (*Proto)(nil)
)

// Version gives ID and Name.
func (p *Proto) Version() (byte, string) { return ID, Name }

// Traits: commands are handled one after the other, and nobody can be asked to leave.
func (p *Proto) Traits() proto.Traits {
	return proto.Traits{Codec: codec.IDRedis, InOrder: true, Untold: true, HalfClose: true}
}

// Unpack reads one command or one reply.
func (p *Proto) Unpack(m *message.Message) error { return proto.Unpack(p.stream.Reader, p, m) }

// FrameSize gives the size of the frame that starts with buf, or what it needs at least.
// What is wrong with it CutFrame tells.
func (p *Proto) FrameSize(buf []byte) (int, error) {
	size, _, err := p.find(buf)
	if err != nil {
		return len(buf), nil
	}
	return size, nil
}

// find looks for the end of the frame at the start of buf.
func (p *Proto) find(buf []byte) (size int, done bool, err error) {
	if p.side.Load() == client {
		return p.scan.value(buf, p.most)
	}
	return p.scan.command(buf, p.most)
}
