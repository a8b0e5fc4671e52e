package host

import (
	"errors"

	"github.com/dserver/dserver/rpc/status"
	"github.com/dserver/dserver/sandbox"
)

// codes of the control session for errors that the other side acts on. They lie
// in the users' range of wire codes; 1001 is any other error.
const (
	codeFailed  status.Code = 1001
	codeUnknown status.Code = 1002
	codeStuck   status.Code = 1003
)

// onWire makes an error fit to travel over the control session with its text:
// both ends are ours, so nothing is hidden.
func onWire(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sandbox.ErrUnknown):
		return status.New(codeUnknown, err.Error())
	case errors.Is(err, sandbox.ErrStuck):
		return status.New(codeStuck, err.Error())
	}
	return status.New(codeFailed, err.Error())
}

// fromWire gives back the error that onWire was given, as far as anybody acts on it.
func fromWire(err error) error {
	s, ok := status.From(err)
	if !ok || s == nil {
		return err
	}
	switch s.Code {
	case codeFailed:
		return errors.New(s.Cause)
	case codeUnknown:
		return &wireError{text: s.Cause, kind: sandbox.ErrUnknown}
	case codeStuck:
		return &wireError{text: s.Cause, kind: sandbox.ErrStuck}
	}
	return err
}

// wireError is a sentinel with the text it had in another process.
type wireError struct {
	text string
	kind error
}

func (e *wireError) Error() string { return e.text }
func (e *wireError) Unwrap() error { return e.kind }

// outputError is an error of another process, with the last output lines of what
// failed there.
type outputError struct {
	text   string
	output []string
}

func (e *outputError) Error() string { return e.text }
