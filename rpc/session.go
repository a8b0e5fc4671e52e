package rpc

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/status"
)

// Session is one connection to one peer. Both sides call and push over it.
type Session struct {
	e      *Endpoint
	number uint64
	conn   net.Conn
	dialed bool
	redial bool // a client had a session before
	watch  watcher

	peer   *proto.Peer
	traits proto.Traits
	read   messageReader
	enc    encoder
	out    writer
	joint  joint
	calls  pending // ours, that wait for replies

	running   running // the peer's, that handlers work on
	lane      lane    // those of them that run in order
	lastIn    atomic.Int32
	heard     stamp
	said      stamp
	reading   *reading // the reader's own, as are the three below
	lastRoute *route   // of the message before
	holds     bool     // replies wait until the reader has to
	came      int      // messages that were read since it last had to

	life  life
	work  work
	ctx   context.Context // of the handlers; ends with the session
	stop  context.CancelCauseFunc
	done  chan struct{}
	grace *time.Timer // ends an orderly close that takes too long; under mu

	goingAway  chan struct{} // closed when the peer said so
	saidGoaway atomic.Bool   // we did
	hungUp     atomic.Bool   // the peer has closed its side
	wroteAll   atomic.Bool   // we have closed ours, or are about to
	ready      chan struct{} // closed when it works or will not; nil if it did from the start
	refusal    error         // why it will not; set before ready closes
	mu         sync.Mutex    // guards grace, goingAway, final, reason and age
	final      *int32        // the last number that the peer will ever have executed
	reason     error         // why we closed it, if there is a special one
	age        *time.Timer   // ends a session that is too old
	attributes *Attributes
	id         atomic.Pointer[string] // that the application gave it
}

// watcher is who made a session and wants to know how it fares. Its functions
// run on goroutines of their own.
type watcher struct {
	goingAway func() // the peer said GOAWAY
	ended     func() // the session is over

	redial     bool        // it had a session before
	attributes *Attributes // of that one; nil is new ones
}

func newSession(e *Endpoint, conn net.Conn, dialed bool, watch watcher) *Session {
	s := &Session{
		e: e, conn: conn, dialed: dialed, redial: watch.redial, watch: watch,
		peer:       new(proto.Peer),
		done:       make(chan struct{}),
		goingAway:  make(chan struct{}),
		attributes: watch.attributes,
	}
	if s.attributes == nil {
		s.attributes = new(Attributes)
	}
	if s.earlyHooks() {
		s.ready = make(chan struct{})
	} else {
		s.life.advance(open)
	}
	s.heard.start = time.Now()
	s.said.start = s.heard.start
	s.ctx, s.stop = context.WithCancelCause(context.Background())
	s.calls = pending{most: e.limits.Pending}
	s.lane.spawn = e.workers.start
	s.work.onQuiet = s.onQuiet
	s.out = writer{
		conn: conn, try: newTryWriter(conn), most: e.limits.WriteQueue, spawn: e.workers.run,
		bufs: &e.bufs, busy: func() bool { return s.work.n.Load() > 1 },
		fail: s.end, ended: s.closeWrite, said: &s.said,
	}
	s.joint = joint{enc: &s.enc, bufs: &e.bufs}
	s.setUpProto()
	return s
}

// setUpProto makes the session's Proto and the reader and encoder that suit it.
func (s *Session) setUpProto() {
	limits := s.e.limits
	stream := proto.Stream{Limits: proto.Limits{Message: limits.Message, Metadata: limits.Metadata}, Peer: s.peer, Filters: s.e.filters}
	if agreed, ok := s.conn.(interface{ Subprotocol() string }); ok {
		stream.Subprotocol = agreed.Subprotocol()
	}
	if s.ready != nil {
		stream.Filters = s.e.filters.Gated(func() bool { return s.life.stage() != early })
	}
	conn := patientConn{Conn: s.conn, patience: limits.FrameTime, heard: &s.heard, idle: s.beforeRead}
	buffered := new(bufio.Reader)
	memory := s.enc.useMemory()
	stream.Reader, stream.Writer, stream.Interim = buffered, memory, s.interim
	p := s.e.config.Proto(stream)
	if particular, ok := p.(proto.Particular); ok {
		s.traits = particular.Traits()
	}
	s.enc.proto = p
	if f, ok := p.(proto.Framer); ok {
		if !s.traits.InOrder {
			s.enc.framer = f
		}
		s.read = newFrameReader(conn, f, limits.Message, &s.e.bufs)
		return
	}
	s.read = newStreamReader(conn, p, buffered, limits.Message)
}

// Attributes are what the application keeps with the session.
func (s *Session) Attributes() *Attributes { return s.attributes }

// Dialed tells whether we made the connection.
func (s *Session) Dialed() bool { return s.dialed }

// Healthy tells whether the session takes new calls and the peer wants them here.
func (s *Session) Healthy() bool {
	select {
	case <-s.goingAway:
		return false
	default:
		return s.life.stage() == open
	}
}

// LocalAddr is our end of the connection.
func (s *Session) LocalAddr() net.Addr { return s.conn.LocalAddr() }

// RemoteAddr is the peer's end of the connection.
func (s *Session) RemoteAddr() net.Addr { return s.conn.RemoteAddr() }

// Conn is the connection itself, for a look at its credentials or options;
// reading, writing and closing belong to the session.
func (s *Session) Conn() net.Conn { return s.conn }

// Done closes when the session is over: no message comes or goes any more.
func (s *Session) Done() <-chan struct{} { return s.done }

// GoingAway closes when the peer asked us to take new calls elsewhere. The
// session works on as long as it is open.
func (s *Session) GoingAway() <-chan struct{} { return s.goingAway }

// Err is nil while the session is open, then the reason why it ended: io.EOF is
// the peer's orderly leave, [ErrReplaced] and [ErrAge] are ours.
func (s *Session) Err() error { return context.Cause(s.ctx) }

func (s *Session) log() *slog.Logger {
	return s.e.log.With("session", s.ID(), "peer", s.peerName())
}

// peerName is the remote address, or ours where the peer has none, as on a unix
// socket.
func (s *Session) peerName() string {
	for _, a := range []net.Addr{s.RemoteAddr(), s.LocalAddr()} {
		if a != nil && a.String() != "" && a.String() != "@" {
			return a.String()
		}
	}
	return "unnamed"
}

// begin takes note of one piece of work; done must follow unless it fails.
func (s *Session) begin() error {
	s.work.add()
	switch s.life.stage() {
	case open:
		return nil
	case early:
		s.work.done()
		return status.New(status.InvalidOperation, "the session is not set up yet").WithRetry()
	default:
		s.work.done()
		return connectionClosed(s.whyClosed(), true)
	}
}

func (s *Session) whyClosed() error {
	if err := s.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason != nil {
		return s.reason
	}
	return net.ErrClosed
}
