package rpc

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strconv"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// watch sees to it that a caller gets its 408 at the deadline even if the
// handler goes on.
func (in *inbound) watch() {
	if _, limited := in.Deadline(); !limited || in.push {
		return
	}
	in.unwatch = context.AfterFunc(in.Context, func() {
		if errors.Is(in.Err(), context.DeadlineExceeded) {
			in.session.e.workers.run(in.timeOut)
		}
	})
}

// run is the whole life of a handler call.
func (in *inbound) run() {
	defer in.finish()
	if in.Err() != nil {
		return // too late to start
	}
	result, err := in.invoke()
	if in.push {
		if err != nil {
			in.session.log().Warn("push handler failed", "method", in.method, "error", err)
		}
		return
	}
	in.reply(result, err)
}

// timeOut answers 408 while the handler may still run and set metadata.
func (in *inbound) timeOut() {
	if in.answered.CompareAndSwap(false, true) {
		in.sent(in.sendStatus(status.New(status.HandleTimeout, ""), message.Meta{}))
	}
}

func (in *inbound) finish() {
	if in.unwatch != nil {
		in.unwatch()
	}
	// A CALL that was not answered by now had no time or nobody who waits.
	if !in.push && errors.Is(in.Err(), context.DeadlineExceeded) {
		in.timeOut()
	}
	in.cancel()
	s := in.session
	s.running.remove(in)
	s.e.release(s, in.route, in.size)
	s.e.handlers.done()
	s.work.done()
}

// invoke is the wall around a handler.
func (in *inbound) invoke() (result any, err error) {
	defer func() {
		if v := recover(); v != nil {
			in.session.e.counters.panics.Add(1)
			result, err = nil, &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return in.route.handle(in)
}

// panicError is a handler's panic; only the log sees its text.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

// decodeError is a body that cannot be read.
type decodeError struct{ err error }

func (e *decodeError) Error() string { return "cannot decode the body: " + e.err.Error() }
func (e *decodeError) Unwrap() error { return e.err }

// decode fills target from the body, which is then free for the collector.
func (in *inbound) decode(target any) error {
	body := in.body
	in.body = nil
	if err := in.session.e.decode(in.codec, body, target); err != nil {
		return &decodeError{err}
	}
	return nil
}

// reply answers with what the handler returned.
func (in *inbound) reply(result any, err error) {
	if st := in.statusOf(err); st != nil {
		in.answer(st)
		return
	}
	m := message.Message{Type: message.Reply, Seq: in.seq, Meta: in.replyMeta, Codec: in.replyCodec(), Filters: slices.Concat(in.filters, in.added)}
	m.Body, err = in.session.e.encode(m.Codec, result)
	if err != nil {
		in.answer(in.incident(status.InternalServerError, fmt.Errorf("cannot encode the reply: %w", err)))
		return
	}
	if !in.answered.CompareAndSwap(false, true) {
		return
	}
	err = in.session.send(context.Background(), in.session.e.limits.ReplyTime, &m)
	if status.CodeOf(err) == status.WriteFailed {
		// Too large for the protocol or for its limit.
		err = in.sendStatus(in.incident(status.InternalServerError, err), message.Meta{})
	}
	in.sent(err)
}

// answer replies with a status unless the call was answered before.
func (in *inbound) answer(st *status.Status) {
	if in.answered.CompareAndSwap(false, true) {
		in.sent(in.sendStatus(st, in.replyMeta))
	}
}

// sendStatus sends the metadata along, through the filters of the reply, unless one of
// them is why it cannot be written.
func (in *inbound) sendStatus(st *status.Status, meta message.Meta) error {
	m := message.Message{Type: message.Reply, Seq: in.seq, Status: st, Meta: meta, Filters: in.filters}
	err := in.session.send(context.Background(), in.session.e.limits.ReplyTime, &m)
	if status.CodeOf(err) == status.WriteFailed && (m.Meta.Len() > 0 || len(m.Filters) > 0) {
		m.Meta, m.Filters = message.Meta{}, nil
		err = in.session.send(context.Background(), in.session.e.limits.ReplyTime, &m)
	}
	return err
}

// sent looks at how sending a reply went. A peer that calls and does not read
// loses its session; so does one that cannot even be told that a call failed,
// because it would wait for ever.
func (in *inbound) sent(err error) {
	if errors.Is(err, errFull) || status.CodeOf(err) == status.WriteFailed {
		in.session.log().Warn("closing session: cannot reply", "method", in.method, "error", err)
		in.session.end(err)
	}
}

// abandon ends the handler's context for a caller that does not wait any more.
func (in *inbound) abandon() {
	in.answered.Store(true)
	in.cancel()
}

// statusOf gives what the caller is told of a handler's error; nil is success.
func (in *inbound) statusOf(err error) *status.Status {
	var bad *decodeError
	st, isStatus := status.From(err)
	switch {
	case err == nil, isStatus && (st == nil || st.Code == status.OK):
		return nil
	case errors.As(err, &bad):
		return in.incident(status.BadMessage, err)
	case isStatus && st.Code >= 100 && st.Code < 200:
		// The handler's own call failed on another connection: the caller must not
		// take that for the end of its own.
		return in.incident(status.BadGateway, err)
	case isStatus:
		return st
	case errors.Is(err, context.DeadlineExceeded) && in.Err() != nil:
		return status.New(status.HandleTimeout, "")
	default:
		return in.incident(status.InternalServerError, err)
	}
}

// incident logs an error under an id and gives the caller the id alone.
func (in *inbound) incident(code status.Code, err error) *status.Status {
	id := strconv.FormatUint(rand.Uint64(), 16)
	in.session.log().Error("call failed", "method", in.method, "incident", id, "error", err)
	return status.New(code, "incident "+id)
}

// replyCodec is the codec that the caller asked for, else that of its request,
// else our default.
func (in *inbound) replyCodec() byte {
	codecs := in.session.e.codecs
	if only := in.session.traits.Codec; only != 0 {
		return only
	}
	if id, err := strconv.ParseUint(in.meta.Value(metaAccept), 10, 8); err == nil {
		if _, ok := codecs.Lookup(byte(id)); ok {
			return byte(id)
		}
	}
	if _, ok := codecs.Lookup(in.codec); ok {
		return in.codec
	}
	return codecs.Default().ID()
}
