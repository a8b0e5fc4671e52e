package status_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/dserver/dserver/rpc/status"
)

func TestStatusIsAnErrorThatCanBeFound(t *testing.T) {
	s := status.New(1001, "none left")
	err := fmt.Errorf("cannot buy: %w", s)
	var found *status.Status
	if !errors.As(err, &found) || found != s || status.CodeOf(err) != 1001 {
		t.Errorf("got %v, code %d", found, status.CodeOf(err))
	}
	if _, ok := status.From(errors.New("other")); ok || status.CodeOf(errors.New("other")) != status.Unknown {
		t.Error("an ordinary error passed for a status")
	}
	if s, ok := status.From(nil); s != nil || !ok || status.CodeOf(nil) != status.OK {
		t.Error("nil is not OK")
	}
}

func TestNewfKeepsTheErrorOnThisMachine(t *testing.T) {
	s := status.Newf(status.DialFailed, "cannot open: %w", fs.ErrPermission)
	if !errors.Is(s, fs.ErrPermission) || s.Cause != "cannot open: permission denied" {
		t.Errorf("got %v", s)
	}
	over, err := status.ParseText(status.AppendText(nil, s))
	if err != nil || over.Cause != s.Cause || errors.Is(over, fs.ErrPermission) {
		t.Errorf("over the wire: %v, %v", over, err)
	}
}

func TestErrorText(t *testing.T) {
	tests := []struct {
		s    *status.Status
		want string
	}{
		{nil, "OK"},
		{&status.Status{}, "OK"},
		{status.New(status.NotFound, ""), "404 Not Found"},
		{status.New(status.NotFound, "no /a"), "404 Not Found: no /a"},
		{&status.Status{Code: 7, Msg: "same", Cause: "same"}, "7 same"},
		{&status.Status{Code: 7, Cause: "why"}, "7: why"},
		{status.New(1001, "x"), "1001 code 1001: x"},
	}
	for _, test := range tests {
		if got := test.s.Error(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestWithDetailsAndRetryCopy(t *testing.T) {
	s := status.New(status.Overloaded, "")
	d, err := s.WithRetry().WithDetails(map[string]int{"after": 3})
	if err != nil || !d.Retry || string(d.Details) != `{"after":3}` || s.Retry || s.Details != nil {
		t.Errorf("got %+v from %+v, %v", d, s, err)
	}
	if _, err := s.WithDetails(func() {}); err == nil {
		t.Error("a function has no JSON")
	}
}
