package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/dserver/dserver/rpc"
)

// mathRoutes are those of the rpc sandbox.
func mathRoutes(e *rpc.Endpoint) error {
	return errors.Join(
		rpc.Handle(e, "/math/add", func(_ rpc.Context, numbers []int) (int, error) {
			sum := 0
			for _, n := range numbers {
				sum += n
			}
			return sum, nil
		}),
		rpc.Handle(e, "/math/sleep", func(ctx rpc.Context, ms int) (string, error) {
			select {
			case <-time.After(time.Duration(ms) * time.Millisecond):
				return stamped("build"), nil
			case <-ctx.Done():
				return "", context.Cause(ctx)
			}
		}),
		rpc.Handle(e, "/math/pid", func(rpc.Context, struct{}) (int, error) { return os.Getpid(), nil }),
		rpc.Handle(e, "/math/build", func(rpc.Context, struct{}) (string, error) { return stamped("build"), nil }),
		rpc.Handle(e, "/math/panic", func(rpc.Context, struct{}) (string, error) { panic("as asked for") }),
	)
}
