package rpc

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/dserver/dserver/rpc/message"
)

// serve reads until the connection ends. It is the session's own goroutine.
func (s *Session) serve() {
	s.reading = &reading{s: s}
	defer s.readEnds(s.reading)
	err := s.setUp()
	if s.ready != nil {
		s.refusal = err
		close(s.ready)
	}
	if err != nil {
		s.refuseSetUp(err)
		return
	}
	s.readAll()
}

// refuseSetUp ends a session that will not work. What the hooks have written still goes
// out, unless the peer sends what cannot be read.
func (s *Session) refuseSetUp(err error) {
	if bad := (*frameError)(nil); errors.As(err, &bad) {
		s.readEnded(err)
		return
	}
	s.e.warns.log(s.log(), "closing session: it cannot be set up", failure(err)...)
	s.giveReason(err)
	if s.calls.begun() {
		s.finish() // the peer shall read what we said
	}
	s.end(err)
}

// readOn is serve for who relieves a reader.
func (s *Session) readOn() {
	defer s.readEnds(s.reading)
	s.readAll()
}

// readEnds ends the session with its reader, unless another one reads on.
func (s *Session) readEnds(r *reading) {
	if !r.passed() {
		r.state.Store(passedOn) // nobody needs to watch it
		s.over()
	}
}

// readAll reads until the connection ends or another goroutine reads on.
func (s *Session) readAll() {
	r := s.reading
	for {
		if err := s.e.hooks.runBeforeReadHeader(earlyCtx{s}); err != nil {
			note(s.log(), "BeforeReadHeader", err)
			s.release()
			s.end(err)
			return
		}
		m := r.room()
		err := s.read.next(m)
		s.came++
		last := m.Last
		if err == nil {
			err = s.dispatch(m)
		}
		if r.passed() {
			return
		}
		if err != nil || last {
			s.release()
			s.stopReading(m, err)
			return
		}
	}
}

// stopReading ends the session after a message that is the last, or bad.
func (s *Session) stopReading(m *message.Message, err error) {
	switch {
	case err == nil:
		s.finish()
	case m.Refusal != nil && m.Type == message.Call:
		s.noteBadFrame(err)
		s.refuse(s.reading.take(), m.Refusal)
		s.finish()
	case errors.Is(err, io.EOF) && s.traits.HalfClose:
		s.answerRest()
	default:
		s.readEnded(err)
	}
}

// beforeRead comes when the reader is about to wait.
func (s *Session) beforeRead() {
	s.came = 0
	s.reading.contexts = nil
	s.release()
}

// finish ends the session in order, when what runs has been answered, and ignores
// whatever the peer still sends.
func (s *Session) finish() {
	for quiet := s.work.quiet(); quiet != nil; quiet = s.work.quiet() {
		select {
		case <-quiet:
		case <-s.ctx.Done():
			return
		}
	}
	s.Close()
	_ = s.conn.SetReadDeadline(time.Time{}) // at worst it ends sooner
	_, err := io.Copy(io.Discard, s.conn)
	if err == nil {
		err = io.EOF
	}
	s.readEnded(err)
}

type earlyCtx struct{ s *Session }

func (c earlyCtx) Session() *Session { return c.s }

// handshaker is a connection that must agree with its peer first, as TLS does.
type handshaker interface {
	HandshakeContext(ctx context.Context) error
}

// handshake needs a connection that is a handshaker.
func (s *Session) handshake() error {
	ctx, cancel := context.WithTimeout(s.ctx, s.e.limits.HandshakeTime)
	defer cancel()
	return s.conn.(handshaker).HandshakeContext(ctx)
}

// readEnded ends the session for what the reader met, and says so if the peer
// is to blame.
func (s *Session) readEnded(err error) {
	var bad *frameError
	var denied *deniedError
	switch {
	case s.life.stage() == over:
	case errors.As(err, &denied):
		s.log().Warn("closing session: the peer did not let us in", "error", err)
	case errors.As(err, &bad):
		s.noteBadFrame(err)
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.ErrClosedPipe):
	default:
		s.log().Info("connection lost", "error", err)
	}
	s.end(err)
}

// answerRest ends the session in order for a peer that has closed its side.
func (s *Session) answerRest() {
	s.hungUp.Store(true)
	s.Close()
	if s.wroteAll.Load() {
		s.end(io.EOF)
	}
	<-s.ctx.Done()
}

func (s *Session) noteBadFrame(err error) {
	s.e.counters.badFrames.Add(1)
	s.log().Warn("closing session: bad frame", "error", err)
}

// over is the last that the session's goroutine does.
func (s *Session) over() {
	s.end(errors.New("session goroutine ended"))
	s.e.remove(s)
	note(s.log(), "AfterDisconnect", s.e.hooks.runAfterDisconnect(s))
	close(s.done)
	if s.watch.ended != nil {
		s.e.workers.run(s.watch.ended)
	}
}
