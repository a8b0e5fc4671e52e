package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// What a [Master] may answer. Each of these survives the wire: when a method of
// the master returns an error that wraps one of them, errors.Is finds the same
// one in the error of the [Client].
var (
	ErrInvalid  = errors.New("invalid request")                  // the request makes no sense
	ErrDenied   = errors.New("permission denied")                // the caller may not
	ErrNotFound = errors.New("not found")                        // no such sandbox, worker or program
	ErrConflict = errors.New("conflicts with the present state") // not in this state
	ErrBusy     = errors.New("busy")                             // the same may work later
	ErrRetry    = errors.New("nothing was done yet, ask again")  // another process is about to answer; the Client asks again by itself
	ErrRefused  = errors.New("refused")                          // the master will not, in any state
	ErrTimeout  = errors.New("timed out")                        // the time was not enough
)

// What only a [Client] says.
var (
	ErrNotRunning = errors.New("not running")                                // nobody answers at the socket
	ErrLost       = errors.New("the connection ended before the answer")     // whether the request was done is unknown
	ErrTooOld     = errors.New("the running master does not know this call") // it was built before the call existed
)

// noRoute is the code of an unknown path: the one problem that no Master makes.
const noRoute = "no_route"

type kind struct {
	err    error
	code   string
	status int
}

// kinds is what a sentinel looks like on the wire, the more telling first.
func kinds() []kind {
	return []kind{
		{ErrInvalid, "invalid", http.StatusBadRequest},
		{ErrDenied, "denied", http.StatusForbidden},
		{ErrNotFound, "not_found", http.StatusNotFound},
		{ErrTooOld, noRoute, http.StatusNotFound},
		{ErrConflict, "conflict", http.StatusConflict},
		{ErrRefused, "refused", http.StatusUnprocessableEntity},
		{ErrRetry, "retry", http.StatusServiceUnavailable},
		{ErrBusy, "busy", http.StatusServiceUnavailable},
		{ErrTimeout, "timeout", http.StatusGatewayTimeout},
		{context.DeadlineExceeded, "timeout", http.StatusGatewayTimeout},
	}
}

// Problem is an error as it travels: the body of every answer that is not 2xx.
type Problem struct {
	Text string `json:"error"`          // one line for people, "cannot X: why"
	Code string `json:"code"`           // invalid, denied, not_found, no_route, conflict, refused, retry, busy, timeout or failed
	Hint string `json:"hint,omitempty"` // one line: what to do next
}

// Problemf makes a problem that is kind (one of the sentinels that survive the
// wire) but does not spell it in its text. Any other kind gives the code failed.
func Problemf(kind error, format string, args ...any) *Problem {
	_, code := classify(kind)
	return &Problem{Text: fmt.Sprintf(format, args...), Code: code}
}

// WithHint returns a copy that says what to do next.
func (p *Problem) WithHint(hint string) *Problem {
	c := *p
	c.Hint = hint
	return &c
}

// Error gives the text; the hint is printed apart from it.
func (p *Problem) Error() string { return p.Text }

// Unwrap gives the sentinel that the code stands for, or nil.
func (p *Problem) Unwrap() error {
	for _, k := range kinds() {
		if k.code == p.Code {
			return k.err
		}
	}
	return nil
}

func classify(err error) (status int, code string) {
	for _, k := range kinds() {
		if errors.Is(err, k.err) {
			return k.status, k.code
		}
	}
	return http.StatusInternalServerError, "failed"
}

// problemOf turns any error into what travels, with its HTTP status. What was
// wrapped around a Problem stays in the text.
func problemOf(err error) (int, Problem) {
	status, code := classify(err)
	p := Problem{Text: err.Error(), Code: code}
	if inner, ok := errors.AsType[*Problem](err); ok {
		p.Hint = inner.Hint
	}
	return status, p
}

// CallError is the error of every [Client] method: which request failed and why.
type CallError struct {
	Method string // HTTP method
	Path   string // route with its query
	Socket string // path of the control socket
	Err    error  // a *Problem, or something that wraps a sentinel of this package
}

// Error names the request, the socket and the cause.
func (e *CallError) Error() string {
	return fmt.Sprintf("cannot %s %s on %s: %v", e.Method, e.Path, e.Socket, e.Err)
}

// Unwrap gives the cause.
func (e *CallError) Unwrap() error { return e.Err }
