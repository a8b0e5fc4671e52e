package auth

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strconv"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// Checker is the plugin of an endpoint that accepts. Make it with [NewChecker].
type Checker[Info any] struct {
	check func(ctx context.Context, s rpc.EarlySession, info Info) (any, error)
}

var (
	_ rpc.BeforeNewEndpoint = (*Checker[any])(nil)
	_ rpc.AfterAccept       = (*Checker[any])(nil)
)

// NewChecker makes a plugin that asks check about every peer. info is what the peer
// shows; it is zero, or points to zero, if the peer shows nothing. check may give the
// session an id and attributes; an id, which takes it from another session, better when
// it has looked at the info. ctx ends with the session.
//
// pass is the answer to a peer that is let in, encoded by the endpoint's default codec.
// A *status.Status in the error reaches the peer as it is, and the session is closed.
// Of any other error, and of a panic, the peer learns an incident id only, which the
// log has too.
func NewChecker[Info any](check func(ctx context.Context, s rpc.EarlySession, info Info) (pass any, err error)) *Checker[Info] {
	return &Checker[Info]{check}
}

// Name is "auth-checker".
func (*Checker[Info]) Name() string { return "auth-checker" }

// BeforeNewEndpoint refuses a checker that cannot check.
func (c *Checker[Info]) BeforeNewEndpoint(*rpc.Config) error {
	if c.check == nil {
		return errors.New("a checker needs a function that checks")
	}
	return nil
}

// AfterAccept reads one message and answers it.
func (c *Checker[Info]) AfterAccept(s rpc.EarlySession) error {
	info := fresh[Info]()
	m, err := s.ReceiveAuth(info)
	switch {
	case status.CodeOf(err) == status.BadMessage:
		return deny(s, incident(status.BadMessage, err))
	case err != nil:
		return err // there is nothing to answer to
	case m.Type != message.AuthCall:
		return deny(s, denial{status: unexpected(message.AuthCall, m.Type)})
	}
	pass, err := c.ask(s, *info)
	if d := denialOf(err); d.status != nil {
		return deny(s, d)
	}
	err = s.SendAuth(message.AuthReply, nil, pass)
	if status.CodeOf(err) == status.WriteFailed {
		// The answer has no encoding: without another one the peer would wait.
		return deny(s, incident(status.InternalServerError, err))
	}
	return err
}

// ask is the wall around the user's function.
func (c *Checker[Info]) ask(s rpc.EarlySession, info Info) (pass any, err error) {
	defer func() {
		if v := recover(); v != nil {
			pass, err = nil, fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return c.check(s.Context(), s, info)
}

// denial is why a peer is not let in.
type denial struct {
	status *status.Status // what it is told
	err    error          // what it must not see; nil if that is all
}

// denialOf is what the error of a handler would be to its caller.
func denialOf(err error) denial {
	st, isStatus := status.From(err)
	switch {
	case isStatus && status.CodeOf(err) == status.OK:
		return denial{}
	case isStatus && st.Code >= 100 && st.Code < 200:
		return incident(status.BadGateway, err)
	case isStatus:
		return denial{status: st}
	default:
		return incident(status.InternalServerError, err)
	}
}

func incident(code status.Code, err error) denial {
	id := "incident " + strconv.FormatUint(rand.Uint64(), 16)
	return denial{status: status.New(code, id), err: fmt.Errorf("%s: %w", id, err)}
}

// deny tells the peer; the error is for the log.
func deny(s rpc.EarlySession, d denial) error {
	err := d.err
	if err == nil {
		err = d.status
	}
	return fmt.Errorf("the peer is not let in: %w", errors.Join(err, s.SendAuth(message.AuthReply, d.status, nil)))
}
