package rpc

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// Call asks the peer for method and waits for the reply, which is decoded into
// res. req and res may be nil, or []byte and *[]byte to pass bytes as they are.
//
// The error is a *status.Status: what the peer answered, or what prevented an
// answer: 102 the session ended, 104 the request cannot be written, 408 the
// deadline of ctx passed, 106 ctx was cancelled, 503 a bound is reached. With its
// Retry set the peer has certainly not executed the call.
func (s *Session) Call(ctx context.Context, method string, req, res any, opts ...CallOption) error {
	o := newCallOptions(opts)
	return s.call(ctx, method, req, res, &o)
}

func (s *Session) call(ctx context.Context, method string, req, res any, o *callOptions) error {
	if ctx.Err() != nil {
		return contextEnded(ctx)
	}
	m := message.Message{Type: message.Call, Method: method}
	if err := s.fillRequest(ctx, &m, req, o); err != nil {
		return err
	}
	if err := s.begin(); err != nil {
		return err
	}
	defer s.work.done()
	c, err := s.calls.add(method)
	if err != nil {
		return err
	}
	m.Seq = c.seq
	if err := s.send(ctx, waitContext, &m); err != nil {
		s.calls.take(c.seq)
		return err
	}
	if err := s.await(ctx, c); err != nil {
		return err
	}
	return s.e.readReply(c, res, o)
}

// await returns nil when the call has ended with a reply or with its session.
func (s *Session) await(ctx context.Context, c *call) error {
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
	}
	if s.calls.take(c.seq) == nil {
		<-c.done // somebody else is ending it right now
		return nil
	}
	if ctx.Err() == context.Canceled {
		s.sendCancel(c.seq)
	}
	return contextEnded(ctx)
}

// Push sends a message that has no answer. nil means that it was handed to the
// operating system or will be, not that the peer has seen it.
func (s *Session) Push(ctx context.Context, method string, body any, opts ...CallOption) error {
	o := newCallOptions(opts)
	return s.push(ctx, method, body, &o)
}

func (s *Session) push(ctx context.Context, method string, body any, o *callOptions) error {
	if ctx.Err() != nil {
		return contextEnded(ctx)
	}
	m := message.Message{Type: message.Push, Method: method}
	if err := s.fillRequest(ctx, &m, body, o); err != nil {
		return err
	}
	if err := s.begin(); err != nil {
		return err
	}
	defer s.work.done()
	m.Seq = s.calls.number()
	return s.send(ctx, waitContext, &m)
}

// fillRequest sets all but the number.
func (s *Session) fillRequest(ctx context.Context, m *message.Message, body any, o *callOptions) (err error) {
	if m.Method == "" {
		return status.New(status.WriteFailed, "the method is empty")
	}
	m.Meta, m.Filters = o.meta.Clone(), o.filters
	if deadline, ok := ctx.Deadline(); ok {
		ms := int64(math.Ceil(float64(time.Until(deadline)) / float64(time.Millisecond)))
		m.Meta.Set(metaTimeout, strconv.FormatInt(max(ms, 1), 10))
	}
	m.Codec = s.codecFor(o.codec)
	if m.Body, err = s.e.encode(m.Codec, body); err != nil {
		return status.Newf(status.WriteFailed, "cannot encode the body for %s: %w", m.Method, err)
	}
	return nil
}

// codecFor is the only codec of the protocol, else the one that was asked for, else
// our default.
func (s *Session) codecFor(asked byte) byte {
	switch {
	case s.traits.Codec != 0:
		return s.traits.Codec
	case asked != 0:
		return asked
	default:
		return s.e.codecs.Default().ID()
	}
}

// send encodes and writes m. Its error is a status.
func (s *Session) send(ctx context.Context, wait time.Duration, m *message.Message) error {
	if s.enc.framer == nil {
		return s.sendPacked(ctx, wait, m)
	}
	frame := s.e.bufs.get()
	frame, err := s.enc.append(frame, m)
	if err != nil {
		s.e.bufs.put(frame)
		return status.Newf(status.WriteFailed, "%w", err)
	}
	err = s.out.write(ctx, wait, frame)
	s.e.bufs.put(frame)
	return writeEnded(err)
}

// sendPacked is send for a Proto that packs. Messages go out in the order in which
// they were packed, so that the Proto can say which of them goes first: all waiting is
// done before.
func (s *Session) sendPacked(ctx context.Context, wait time.Duration, m *message.Message) error {
	if err := s.out.awaitRoom(ctx, wait); err != nil {
		return writeEnded(err)
	}
	var drive bool
	var ended error
	err := s.enc.pack(m, func(frame []byte) { drive, ended = s.out.enqueue(frame) })
	if drive {
		s.out.drive()
	}
	if err != nil {
		return status.Newf(status.WriteFailed, "%w", err)
	}
	return writeEnded(ended)
}

// interim is proto.Stream.Interim. It waits until what is packed right now is queued.
func (s *Session) interim(b []byte) {
	s.enc.mu.Lock()
	err := s.out.write(context.Background(), waitNever, b)
	s.enc.mu.Unlock()
	if errors.Is(err, errFull) {
		s.log().Warn("closing session", "error", err)
		s.end(err)
	}
}

// writeEnded gives the status of a write that returned err.
func writeEnded(err error) error {
	if _, isStatus := err.(*status.Status); err == nil || isStatus {
		return err
	}
	return connectionClosed(err, true)
}

// readReply ends a call whose done was signalled.
func (e *Endpoint) readReply(c *call, res any, o *callOptions) error {
	if c.err != nil {
		return c.err
	}
	m := &c.reply
	if o.replyMeta != nil {
		*o.replyMeta = m.Meta
	}
	if m.Status != nil {
		return m.Status
	}
	if m.Codec == 0 && len(m.Body) > 0 {
		return status.New(status.BadMessage, fmt.Sprintf("the reply has %d bytes of body and no codec", len(m.Body)))
	}
	if err := e.decode(m.Codec, m.Body, res); err != nil {
		return status.Newf(status.BadMessage, "cannot decode the reply of %s: %w", c.method, err)
	}
	return nil
}
