package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/sandbox"
)

// mathService is the rpc sandbox.
type mathService struct{}

func newMath() sandbox.Service { return mathService{} }

// Name implements sandbox.Service.
func (mathService) Name() string { return "math" }

// Serve implements sandbox.Service.
func (mathService) Serve(ctx context.Context, box *sandbox.Box) error {
	e, err := rpc.New(rpc.Config{Name: box.Name(), Logger: box.Logger()})
	if err != nil {
		return err
	}
	if err := mathRoutes(e); err != nil {
		return err
	}
	listeners, err := box.Listeners()
	if err != nil {
		return err
	}
	for _, ln := range listeners {
		box.Go("accept on "+ln.Addr().String(), func(context.Context) {
			if err := e.Serve(ln); !errors.Is(err, rpc.ErrClosed) && !errors.Is(err, net.ErrClosed) {
				box.Logger().Error("cannot go on accepting", "error", err)
			}
		})
	}
	box.Ready()
	<-box.Drain()
	var cut *rpc.CutError
	if err := e.Shutdown(ctx); errors.As(err, &cut) {
		for _, c := range cut.Calls {
			box.Cut(fmt.Sprintf("%s from %s", c.Method, c.Peer))
		}
	}
	return nil
}

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
