package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/dserver/dserver/rpc"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := serve(ctx, "tcp://127.0.0.1:9092", os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve answers /math/add in lines until ctx ends.
func serve(ctx context.Context, address string, out io.Writer) error {
	e, err := rpc.New(rpc.Config{Name: "lines", Proto: NewLines})
	if err != nil {
		return err
	}
	defer e.Close()
	err = rpc.Handle(e, "/math/add", func(_ rpc.Context, nums []int) (sum int, err error) {
		for _, n := range nums {
			sum += n
		}
		return sum, nil
	})
	if err != nil {
		return err
	}
	ln, err := e.Listen(ctx, address)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "listening on", ln.Addr())
	context.AfterFunc(ctx, e.Drain)
	if err := e.Serve(ln); !errors.Is(err, rpc.ErrClosed) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return e.Shutdown(ctx)
}
