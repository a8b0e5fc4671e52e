package main

import (
	"context"
	"os"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/status"
)

// math is the demo's rpc side; its methods answer /math/add, /math/sleep and
// /math/pid.
type math struct{}

// Add sums numbers.
func (math) Add(_ rpc.Context, nums []int) (sum int, err error) {
	for _, n := range nums {
		sum += n
	}
	return sum, nil
}

// Sleep answers after that many milliseconds, with their number.
func (math) Sleep(ctx rpc.Context, ms int) (int, error) {
	if ms < 0 || ms > int(longestSleep/time.Millisecond) {
		return 0, status.Newf(status.BadMessage, "want milliseconds from 0 to %d", longestSleep/time.Millisecond)
	}
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
		return ms, nil
	case <-ctx.Done(): // nobody waits for the answer
		return 0, context.Cause(ctx)
	}
}

// Pid tells which process answers.
func (math) Pid(rpc.Context, any) (int, error) { return os.Getpid(), nil }
