package rpc

import (
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// writeReply encodes and writes a reply, with the hooks around it. wait is that of
// writer.write.
func (s *Session) writeReply(p *passage, h *hooks, wait time.Duration) error {
	if err := h.runBeforeWriteReply(p); err != nil {
		note(s.log(), "BeforeWriteReply", err)
		if p.m.Status == nil {
			// The result is not what the hooks would have made of it: encrypted, say.
			p.m.Status = p.statusOf(err)
		}
	}
	err := s.sendReply(p, wait)
	defer p.dropBody()
	if hookErr := h.runAfterWriteReply(p); hookErr != nil {
		note(s.log(), "AfterWriteReply", hookErr)
	}
	return err
}

// sendReply falls back to a status if the result cannot be written, and to one without
// metadata and filters if these are why not: whoever waits gets an answer.
func (s *Session) sendReply(p *passage, wait time.Duration) error {
	if p.m.Status == nil {
		err := s.encodeReply(p)
		if err == nil {
			err = s.answer(p, wait)
		}
		if err == nil || status.CodeOf(err) != status.WriteFailed {
			return err
		}
		// Too large for the protocol or for its limit, or nothing that has an encoding.
		p.m.Status = s.incident(p.method, status.InternalServerError, err)
	}
	p.dropBody()
	p.m.Codec = 0
	err := s.answer(p, wait)
	if status.CodeOf(err) == status.WriteFailed && (p.m.Meta.Len() > 0 || len(p.m.Filters) > 0) {
		p.m.Meta, p.m.Filters = message.Meta{}, nil
		err = s.answer(p, wait)
	}
	return err
}

func (s *Session) encodeReply(p *passage) error {
	if err := p.encode(); err != nil {
		return status.Newf(status.WriteFailed, "cannot encode the reply: %w", err)
	}
	return nil
}

// reply answers with what the handler returned, unless the call was answered before.
func (in *inbound) reply(result any, err error) {
	if !in.answered.CompareAndSwap(false, true) {
		return
	}
	answers := &in.session.e.answers
	p := answers.get()
	defer answers.put(p)
	in.fillAnswer(p)
	p.ends, p.joint = in, in.reader != nil
	p.value, p.m.Status = result, in.statusOf(err)
	p.m.Filters = in.m.Filters
	if in.seen != nil {
		in.seen.grant(p)
	}
	if p.m.Status == nil && (p.m.Codec == 0 || in.session.traits.Codec != 0) {
		p.m.Codec = in.replyCodec()
	}
	in.session.sent(in.method, in.session.writeReply(p, in.hooks(), in.session.e.limits.ReplyTime))
}

// timeOut answers 408, while the handler may still run and set metadata unless it has ended.
func (in *inbound) timeOut(ended bool) {
	if !in.answered.CompareAndSwap(false, true) {
		return
	}
	var p passage
	in.fillAnswer(&p)
	if ended {
		p.ends = in
	}
	p.m.Status, p.m.Filters = status.New(status.HandleTimeout, ""), in.m.Filters
	in.session.sent(in.method, in.session.writeReply(&p, in.hooks(), in.session.e.limits.ReplyTime))
}

func (in *inbound) fillAnswer(p *passage) {
	p.Context, p.session, p.method, p.request = in.Context, in.session, in.method, &in.passage
	p.m.Type, p.m.Seq = message.Reply, in.m.Seq
}

// hooks are those of the route, of the endpoint while none was found.
func (in *inbound) hooks() *hooks {
	if in.route == nil {
		return in.session.e.hooks
	}
	return in.route.hooks
}

// incident logs an error under an id and gives the caller the id alone.
func (s *Session) incident(method string, code status.Code, err error) *status.Status {
	id := strconv.FormatUint(rand.Uint64(), 16)
	s.log().Error("call failed", failure(err, "method", method, "incident", id)...)
	return status.New(code, "incident "+id)
}

// replyCodec is the only one of the protocol, else the codec that the caller asked for,
// else that of its request, else our default.
func (in *inbound) replyCodec() byte {
	if only := in.session.traits.Codec; only != 0 {
		return only
	}
	codecs := in.session.e.codecs
	if accepted, ok := in.m.Meta.Lookup(metaAccept); ok {
		id, err := strconv.ParseUint(accepted, 10, 8)
		if _, ok := codecs.Lookup(byte(id)); err == nil && ok {
			return byte(id)
		}
	}
	if _, ok := codecs.Lookup(in.m.Codec); ok {
		return in.m.Codec
	}
	return codecs.Default().ID()
}
