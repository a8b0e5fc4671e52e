package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Status is the failure of a call. As an error from a handler it travels to the
// caller, who gets an equal one; a nil *Status means success.
type Status struct {
	Code    Code            // what happened, for programs
	Msg     string          // what happened, for people; normally the code's text
	Cause   string          // why, for people; it is shown to the peer
	Retry   bool            // the call was not executed: trying again is safe
	Details json.RawMessage // whatever the application adds, as JSON; may be nil

	err error // what this was made from; stays on this machine
}

// New returns a status with the code's standard text and a cause.
func New(code Code, cause string) *Status {
	return &Status{Code: code, Msg: code.String(), Cause: cause}
}

// Newf is New with a formatted cause. An error among the arguments of a %w verb
// can be found by errors.Is and errors.As, on this machine only; its text is
// part of the cause and does travel.
func Newf(code Code, format string, args ...any) *Status {
	err := fmt.Errorf(format, args...)
	return &Status{Code: code, Msg: code.String(), Cause: err.Error(), err: errors.Unwrap(err)}
}

// Wrap is [New] for an error that errors.Is and errors.As find in it, on this machine
// only; its text does not travel.
func Wrap(code Code, cause string, err error) *Status {
	return &Status{Code: code, Msg: code.String(), Cause: cause, err: err}
}

// WithRetry returns a copy that tells the caller that nothing was executed.
func (s *Status) WithRetry() *Status {
	c := *s
	c.Retry = true
	return &c
}

// WithDetails returns a copy that carries v as JSON.
func (s *Status) WithDetails(v any) (*Status, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("cannot encode status details: %w", err)
	}
	c := *s
	c.Details = b
	return &c, nil
}

// Error reads "404 Not Found: no route /a".
func (s *Status) Error() string {
	if s == nil || s.Code == OK {
		return "OK"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d", int32(s.Code))
	if s.Msg != "" {
		b.WriteString(" " + s.Msg)
	}
	if s.Cause != "" && s.Cause != s.Msg {
		b.WriteString(": " + s.Cause)
	}
	return b.String()
}

// Unwrap gives the local error behind the status; it is nil for one that came
// over the wire.
func (s *Status) Unwrap() error {
	if s == nil {
		return nil
	}
	return s.err
}

// From finds the status in err: nil for nil, ok false if there is none.
func From(err error) (s *Status, ok bool) {
	if err == nil {
		return nil, true
	}
	var found *Status // which takes memory, of which a nil needs none
	ok = errors.As(err, &found)
	return found, ok
}

// CodeOf is OK for nil, the code of the status in err, or Unknown.
func CodeOf(err error) Code {
	if err == nil {
		return OK
	}
	s, ok := From(err)
	switch {
	case !ok:
		return Unknown
	case s == nil:
		return OK
	default:
		return s.Code
	}
}
