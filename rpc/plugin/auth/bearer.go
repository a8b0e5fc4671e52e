package auth

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// Bearer is the plugin of an endpoint that dials. Make it with [NewBearer].
type Bearer struct {
	show func(ctx context.Context, s rpc.EarlySession) (any, error)
	pass func(s rpc.EarlySession) (target any, took func() error)
}

var (
	_ rpc.BeforeNewEndpoint = (*Bearer)(nil)
	_ rpc.AfterDial         = (*Bearer)(nil)
)

// BearerOption changes a bearer when it is made.
type BearerOption func(*Bearer)

// OnPass gives f what the peer answers when it lets us in. With its error the session
// is closed. Without the option the answer is not looked at.
func OnPass[Pass any](f func(s rpc.EarlySession, pass Pass) error) BearerOption {
	return func(b *Bearer) {
		b.pass = func(s rpc.EarlySession) (any, func() error) {
			pass := fresh[Pass]()
			return pass, func() error { return f(s, *pass) }
		}
	}
}

// NewBearer makes a plugin that shows every peer what show returns, encoded by the
// endpoint's default codec. ctx ends with the session. With its error, and when the
// peer refuses, the dialling has failed: 105 with the peer's cause.
func NewBearer(show func(ctx context.Context, s rpc.EarlySession) (info any, err error), opts ...BearerOption) *Bearer {
	b := &Bearer{show: show, pass: func(rpc.EarlySession) (any, func() error) {
		return nil, func() error { return nil }
	}}
	for _, opt := range opts {
		opt(b)
	}
	return b
}

// Name is "auth-bearer".
func (*Bearer) Name() string { return "auth-bearer" }

// BeforeNewEndpoint refuses a bearer that has nothing to show.
func (b *Bearer) BeforeNewEndpoint(*rpc.Config) error {
	if b.show == nil {
		return errors.New("a bearer needs a function that says what to show")
	}
	return nil
}

// AfterDial sends one message and waits for the answer.
func (b *Bearer) AfterDial(s rpc.EarlySession, _ bool) error {
	info, err := b.show(s.Context(), s)
	if err != nil {
		return fmt.Errorf("cannot say who we are: %w", err)
	}
	if err := s.SendAuth(message.AuthCall, nil, info); err != nil {
		return err
	}
	target, took := b.pass(s)
	m, err := s.ReceiveAuth(target)
	switch {
	case err != nil:
		return err
	case m.Type != message.AuthReply:
		return unexpected(message.AuthReply, m.Type)
	case m.Status != nil:
		return m.Status
	}
	return took()
}

// unexpected is in the words of older peers.
func unexpected(want, got message.Type) *status.Status {
	return status.New(status.Unauthorized, fmt.Sprintf("auth message(1st) expect: %v, but received: %v", want, got))
}

// fresh is where a value of the type can be decoded into. If it is a pointer it is not
// nil.
func fresh[T any]() *T {
	target := new(T)
	if v := reflect.ValueOf(target).Elem(); v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
	}
	return target
}
