package http

import (
	"strings"
	"sync"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/internal/inorder"
)

// ID and Name of the protocol; the id is never sent.
const (
	ID   byte = 'h'
	Name      = "http"
)

// Options choose a form of the protocol.
type Options struct {
	// Classic writes the bytes of older writers wherever these can be read again: it is
	// for peers that are known to be old. Default is the form that both kinds read.
	Classic bool
	// Headers names the headers of plain HTTP clients and servers that become metadata,
	// by the spelling given here; older peers' are spelled so as well. Default are
	// X-Timeout-Ms, traceparent and tracestate, which are always among them. Those that
	// speak of the connection or the body, such as Host and User-Agent, never do.
	Headers []string
	// Host is the header of that name in requests, which proxies and servers of others
	// ask for. Default is none, unless the method is a full URL.
	Host string
}

// New makes the Proto of one session in the default form.
func New(s proto.Stream) proto.Proto { return Options{}.New(s) }

// New makes the Proto of one session; it is a proto.Factory.
func (o Options) New(s proto.Stream) proto.Proto {
	if s.Peer == nil {
		s.Peer = new(proto.Peer)
	}
	if s.Interim == nil {
		s.Interim = func([]byte) {}
	}
	p := &Proto{stream: s, options: o, headers: make(map[string]string), room: make(chan struct{}, 1)}
	for _, name := range append([]string{metaTimeout, "traceparent", "tracestate"}, o.Headers...) {
		p.headers[strings.ToLower(name)] = name
	}
	p.waiting = inorder.New[asker](firstNumber)
	return p
}

// Proto is the protocol on one session.
type Proto struct {
	stream  proto.Stream
	options Options
	headers map[string]string // what becomes metadata, by the name in lower case

	body []byte // of the message read last; of Unpack
	room chan struct{}

	mu      sync.Mutex // guards what Pack and Unpack share
	frame   []byte     // of the message written last
	peer    kind       // who numbered its last message; stranger while nobody did
	plain   bool       // a client that counts on the order of the answers uses the session
	waiting *inorder.Queue[asker]
	asked   asked
	ending  bool    // nothing more is handed on: the peer was told so
	goaway  *goaway // the endpoint wants to leave
}

// kind says who is talking.
type kind byte

const (
	stranger kind = iota // any HTTP client or server
	older                // an older writer
	kin                  // one of ours
)

// asker is what the answer to a request depends on.
type asker struct {
	kind   kind
	seq    int32 // the number that it gave
	hasSeq bool
	waits  bool // for the answers to its former requests
	bare   bool // HEAD: the answer has no body
	gzip   bool // it takes compressed answers
	last   bool // nothing is read after it
	keep   bool // it wants to be told that the connection goes on
}

// goaway is a message of the endpoint's that a plain client gets as a header, and
// others once it is known that they are no such client.
type goaway struct {
	m    message.Message
	told bool
}

// firstNumber is where the numbers of requests without one begin, far from those
// that peers use.
const firstNumber = -1 << 31

var (
	_ proto.Factory    = New
	_ proto.Proto      = (*Proto)(nil)
	_ proto.Particular = (*Proto)(nil)
)

// Version gives ID and Name.
func (p *Proto) Version() (byte, string) { return ID, Name }

// Traits: clients may close their side when they have asked.
func (p *Proto) Traits() proto.Traits { return proto.Traits{HalfClose: true} }
