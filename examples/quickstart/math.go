package main

import (
	"context"
	"os"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/status"
)

// Math answers /math/add, /math/sleep and /math/pid: the type's name, then the
// method's.
type Math struct{}

// Add sums numbers.
func (Math) Add(_ rpc.Context, nums []int) (sum int, err error) {
	for _, n := range nums {
		sum += n
	}
	return sum, nil
}

// Sleep answers after that many milliseconds, at most 9000. An error that is a
// status reaches the caller as it is; of any other the caller learns only an
// incident id, and the log has the text.
func (Math) Sleep(ctx rpc.Context, ms int) (int, error) {
	if ms < 0 || ms > 9000 {
		return 0, status.New(status.BadMessage, "want milliseconds from 0 to 9000")
	}
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
		return ms, nil
	case <-ctx.Done(): // the caller gave up, or its deadline has passed
		return 0, context.Cause(ctx)
	}
}

// Pid tells which process answers.
func (Math) Pid(rpc.Context, any) (int, error) { return os.Getpid(), nil }
