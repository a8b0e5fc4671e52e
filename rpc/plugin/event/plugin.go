package event

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/dserver/dserver/eventbus"
	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/status"
)

// Options of a plugin; the zero value works.
type Options struct {
	Messages bool         // tell of messages, too
	Logger   *slog.Logger // of subscribers that fail; default slog.Default()
}

// connections tells of sessions.
type connections struct {
	bus *eventbus.Bus
	log *slog.Logger
}

// messages tells of sessions and messages.
type messages struct{ *connections }

var (
	_ rpc.AfterDial       = (*connections)(nil)
	_ rpc.AfterDialFail   = (*connections)(nil)
	_ rpc.AfterAccept     = (*connections)(nil)
	_ rpc.AfterDisconnect = (*connections)(nil)

	_ rpc.AfterReadCallHeader = messages{}
	_ rpc.AfterReadCallBody   = messages{}
	_ rpc.AfterReadPushBody   = messages{}
	_ rpc.AfterWriteReply     = messages{}
	_ rpc.BeforeWriteCall     = messages{}
)

// New returns a plugin for rpc.Config. It has no hooks of messages unless it tells of
// them.
func New(bus *eventbus.Bus, o Options) rpc.Plugin {
	p := &connections{bus: bus, log: o.Logger}
	if p.log == nil {
		p.log = slog.Default()
	}
	if o.Messages {
		return messages{p}
	}
	return p
}

// Name is "event".
func (p *connections) Name() string { return "event" }

// emit goes to those who want the type, then to those who want the name.
func emit[E Event](p *connections, e E) {
	ctx := context.Background()
	err := errors.Join(eventbus.Emit(ctx, p.bus, e), p.bus.Publish(ctx, e.EventName(), e))
	if err = failures(err); err != nil {
		p.log.Warn("subscriber failed", "event", e.EventName(), "error", err)
	}
}

// failures leaves out what is meant so: a bus that is closed, and a subscriber that keeps
// an event from others.
func failures(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var rest []error
		for _, e := range joined.Unwrap() {
			rest = append(rest, failures(e))
		}
		return errors.Join(rest...)
	}
	if errors.Is(err, eventbus.ErrClosed) || errors.Is(err, eventbus.ErrAbort) {
		return nil
	}
	return err
}

// begun is the attribute of a session that was told of. Sessions of a client share their
// attributes.
type begun struct {
	by      *connections
	session rpc.BaseSession
}

func (p *connections) open(s rpc.EarlySession, redial bool) {
	s.Attributes().Store(begun{p, s}, time.Now())
	emit(p, Opened{Session: s, Redial: redial})
}

func (p *connections) AfterDial(s rpc.EarlySession, redial bool) error {
	p.open(s, redial)
	return nil
}

func (p *connections) AfterAccept(s rpc.EarlySession) error {
	p.open(s, false)
	return nil
}

func (p *connections) AfterDialFail(address string, err error, redial bool) error {
	emit(p, DialFailed{Address: address, Err: err, Redial: redial})
	return nil
}

func (p *connections) AfterDisconnect(s rpc.BaseSession) error {
	key := begun{p, s}
	at, ok := s.Attributes().Load(key)
	if !ok {
		return nil
	}
	s.Attributes().Delete(key)
	since, _ := at.(time.Time)
	emit(p, Closed{Session: s, Reason: s.Err(), Lasted: time.Since(since)})
	return nil
}

// read is the attribute of a call that was read.
type read struct{ by *connections }

func (p messages) AfterReadCallHeader(c rpc.ReadCtx) error {
	c.Attributes().Store(read{p.connections}, time.Now())
	return nil
}

func (p messages) AfterReadCallBody(c rpc.ReadCtx) error { return p.received(c) }
func (p messages) AfterReadPushBody(c rpc.ReadCtx) error { return p.received(c) }

func (p messages) received(c rpc.ReadCtx) error {
	emit(p.connections, Received{Session: c.Session(), Type: c.Type(), Method: c.Method(), Seq: c.Seq()})
	return nil
}

func (p messages) AfterWriteReply(c rpc.WriteCtx) error {
	e := Answered{Session: c.Session(), Method: c.Method(), Seq: c.Seq()}
	if st := c.Status(); st != nil {
		e.Code = st.Code
	}
	if at, ok := c.Attributes().Load(read{p.connections}); ok {
		since, _ := at.(time.Time)
		e.Took = time.Since(since)
	}
	emit(p.connections, e)
	return nil
}

func (p messages) BeforeWriteCall(c rpc.WriteCtx) error {
	e, since := Returned{Session: c.Session(), Method: c.Method()}, time.Now()
	c.OnEnd(func(err error) {
		e.Code, e.Took = status.CodeOf(err), time.Since(since)
		emit(p.connections, e)
	})
	return nil
}
