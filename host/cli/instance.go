package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dserver/dserver/ctl"
)

const (
	askTime      = 10 * time.Second       // for an answer that needs no work
	completeTime = 300 * time.Millisecond // for one behind the TAB key
	leaveTime    = 10 * time.Second       // for a master that answers no more to end
)

// target is the instance a verb acts on.
type target struct {
	Instance
	*ctl.Client
}

// find gives the instance that is meant; doing is the verb, for errors.
func (s *shell) find(ctx context.Context, doing string) (target, error) {
	in, err := s.host.Locate(ctx, s.global)
	if errors.Is(err, ctl.ErrNotRunning) {
		return target{}, &verbError{doing: doing, text: "no instance is running", err: err, hint: s.startHint()}
	}
	if err != nil {
		return target{}, failed(err, "%s", doing)
	}
	return target{Instance: in, Client: ctl.New(in.Socket)}, nil
}

func (s *shell) startHint() string { return fmt.Sprintf("%q starts one", s.app.Name+" start") }

// failed adds the instance to an error and says why nobody answers.
func (s *shell) failed(t target, err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	doing := fmt.Sprintf(format, args...)
	if !errors.Is(err, ctl.ErrNotRunning) {
		return &verbError{doing: doing, err: err}
	}
	if t.Pid != 0 {
		return &verbError{doing: doing, err: fmt.Errorf("process %d holds it but does not answer on %s", t.Pid, t.Socket),
			hint: "it may be starting or stopping: try again"}
	}
	hint := s.startHint()
	if t.Log != "" {
		hint += "; its log is " + t.Log
	}
	return &verbError{doing: doing, err: err, hint: hint}
}

// bounded limits how long a verb waits; 0 is no limit.
func bounded(ctx context.Context, l time.Duration) (context.Context, context.CancelFunc) {
	if l == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, l)
}
