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
// Retry set the peer has certainly not executed the call. Without a deadline in ctx
// that of Config.CallTimeout counts.
func (s *Session) Call(ctx context.Context, method string, req, res any, opts ...CallOption) error {
	c := s.e.ended.get(opts)
	defer s.e.ended.put(c)
	return s.call(ctx, c, method, req, res)
}

// call makes one call with c, which is nobody else's when it returns.
func (s *Session) call(ctx context.Context, c *call, method string, req, res any) (err error) {
	if limit := s.e.config.CallTimeout; limit > 0 {
		if _, has := ctx.Deadline(); !has {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, limit)
			defer cancel()
		}
	}
	c.begin(ctx, s, message.Call, method, req)
	c.started = s.heard.now()
	_, c.bytes = res.(*[]byte)
	if err := s.begin(); err != nil {
		return err
	}
	defer s.work.done()
	defer func() { c.end(err) }()
	if err := s.fillRequest(&c.passage, &c.options); err != nil {
		return err
	}
	if err := s.e.hooks.runBeforeWriteCall(&c.passage); err != nil {
		return asStatus(status.WriteFailed, err)
	}
	if err := s.encodeRequest(&c.passage); err != nil {
		return err
	}
	if err := s.calls.add(c); err != nil {
		return err
	}
	if err := s.send(ctx, waitContext, &c.m, nil); err != nil {
		s.takeBack(c)
		return err
	}
	if err := s.e.hooks.runAfterWriteCall(&c.passage); err != nil {
		note(s.log(), "AfterWriteCall", err)
	}
	c.dropBody()
	if err := s.await(ctx, c); err != nil {
		return err
	}
	return s.readReply(c, res)
}

// await returns nil when the call has ended with a reply or with its session.
func (s *Session) await(ctx context.Context, c *call) error {
	ended := ctx.Done()
	if ended == nil {
		<-c.done
		return nil
	}
	select {
	case <-c.done:
		return nil
	case <-ended:
	}
	if !s.takeBack(c) {
		return nil
	}
	if ctx.Err() == context.Canceled {
		s.sendCancel(c.m.Seq)
	}
	return contextEnded(ctx)
}

// takeBack ends a call that has no reply. It returns false when somebody else was
// ending it, and has.
func (s *Session) takeBack(c *call) bool {
	if taken, _ := s.calls.take(c.m.Seq); taken != nil {
		return true
	}
	<-c.done
	return false
}

// Push sends a message that has no answer. nil means that it was handed to the
// operating system or will be, not that the peer has seen it.
func (s *Session) Push(ctx context.Context, method string, body any, opts ...CallOption) error {
	c := s.e.ended.get(opts)
	defer s.e.ended.put(c)
	return s.push(ctx, waitContext, c, method, body)
}

// push waits for room in the queue as writer.write does.
func (s *Session) push(ctx context.Context, wait time.Duration, c *call, method string, body any) (err error) {
	p := &c.passage
	p.begin(ctx, s, message.Push, method, body)
	if err := s.begin(); err != nil {
		return err
	}
	defer s.work.done()
	defer func() { p.end(err) }()
	defer p.dropBody()
	if err := s.fillRequest(p, &c.options); err != nil {
		return err
	}
	if err := s.e.hooks.runBeforeWritePush(p); err != nil {
		return asStatus(status.WriteFailed, err)
	}
	if err := s.encodeRequest(p); err != nil {
		return err
	}
	p.m.Seq = s.calls.number()
	if err := s.send(ctx, wait, &p.m, nil); err != nil {
		return err
	}
	if err := s.e.hooks.runAfterWritePush(p); err != nil {
		note(s.log(), "AfterWritePush", err)
	}
	return nil
}

// fillRequest sets all but the number and the body.
func (s *Session) fillRequest(p *passage, o *callOptions) error {
	if p.Err() != nil {
		return contextEnded(p.Context)
	}
	if p.method == "" {
		return status.New(status.WriteFailed, "the method is empty")
	}
	if err := s.chooseCodec(o); err != nil {
		return err
	}
	p.m.Meta, p.m.Filters, p.m.Codec = o.meta.Clone(), o.filters, o.codec
	if deadline, ok := p.Deadline(); ok {
		ms := int64(math.Ceil(float64(time.Until(deadline)) / float64(time.Millisecond)))
		p.m.Meta.Set(metaTimeout, strconv.FormatInt(max(ms, 1), 10))
	}
	return nil
}

func (s *Session) encodeRequest(p *passage) error {
	if err := p.encode(); err != nil {
		return status.Newf(status.WriteFailed, "cannot encode the body for %s: %w", p.method, err)
	}
	return nil
}

// chooseCodec fills in the codec of a request.
func (s *Session) chooseCodec(o *callOptions) error {
	if o.codecName != "" {
		c, ok := s.e.codecs.Named(o.codecName)
		if !ok {
			return status.New(status.WriteFailed, fmt.Sprintf("codec %q is not registered", o.codecName))
		}
		o.codec = c.ID()
	}
	o.codec = s.codecFor(o.codec)
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

// send encodes and writes m, with which a CALL ends or none does. Its error is a status.
func (s *Session) send(ctx context.Context, wait time.Duration, m *message.Message, ends *inbound) error {
	if s.enc.framer == nil {
		return s.sendPacked(ctx, wait, m, ends)
	}
	frame := s.e.bufs.get(len(m.Body) + frameRoom)
	var err error
	if frame.b, err = s.enc.append(frame.b, m); err != nil {
		s.e.bufs.put(frame)
		return status.Newf(status.WriteFailed, "%w", err)
	}
	return writeEnded(s.out.write(ctx, wait, frame, ends))
}

// frameRoom is what a frame usually has besides its body, in bytes.
const frameRoom = 256

// sendPacked is send for a Proto that packs. Messages go out in the order in which
// they were packed, so that the Proto can say which of them goes first: all waiting is
// done before.
func (s *Session) sendPacked(ctx context.Context, wait time.Duration, m *message.Message, ends *inbound) error {
	if err := s.out.awaitRoom(ctx, wait); err != nil {
		return writeEnded(err)
	}
	var drive bool
	var ended error
	err := s.enc.pack(m, func(packed []byte) {
		frame := s.e.bufs.get(len(packed))
		frame.b = append(frame.b, packed...)
		drive, ended = s.out.enqueue(frame, ends)
	})
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
	frame := s.e.bufs.get(len(b))
	frame.b = append(frame.b, b...)
	err := s.out.write(context.Background(), waitNever, frame, nil)
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
	if errors.Is(err, errFull) { // the session goes on
		return status.Newf(status.Overloaded, "%w", err).WithRetry()
	}
	return connectionClosed(err, true)
}

// readReply ends a call whose done was signalled.
func (s *Session) readReply(c *call, res any) error {
	if c.err != nil {
		return c.err
	}
	p, o := &c.reply, &c.options
	p.Context, p.session, p.method, p.request = c.Context, s, c.method, &c.passage
	if o.replyMeta != nil {
		*o.replyMeta = p.m.Meta
	}
	if o.replyCodec != nil {
		*o.replyCodec = p.m.Codec
	}
	h := s.e.hooks
	if err := h.runAfterReadReplyHeader(p); err != nil {
		return asStatus(status.BadMessage, err)
	}
	if err := s.decodeReply(p, res); err != nil {
		return err
	}
	if err := h.runAfterReadReplyBody(p); err != nil {
		return asStatus(status.BadMessage, err)
	}
	if p.m.Status != nil {
		return p.m.Status
	}
	return nil
}

// decodeReply does nothing for a status.
func (s *Session) decodeReply(p *passage, res any) error {
	if p.m.Status != nil {
		return nil
	}
	if p.m.Codec == 0 && len(p.m.Body) > 0 {
		return status.New(status.BadMessage, fmt.Sprintf("the reply has %d bytes of body and no codec", len(p.m.Body)))
	}
	if err := s.e.hooks.runBeforeReadReplyBody(p); err != nil {
		return asStatus(status.BadMessage, err)
	}
	err := p.decodeBody(res)
	p.dropBody()
	p.value = res
	if err != nil {
		return status.Newf(status.BadMessage, "cannot decode the reply of %s: %w", p.method, err)
	}
	return nil
}

// asStatus is the status in err, or one with the code that holds err.
func asStatus(code status.Code, err error) *status.Status {
	if st, ok := status.From(err); ok && st != nil {
		return st
	}
	return status.Newf(code, "%w", err)
}
