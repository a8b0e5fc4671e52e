package rpc_test

import (
	"context"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
)

func TestSmoke(t *testing.T) {
	e, err := rpc.New(rpc.Config{})
	if err != nil {
		t.Fatal(err)
	}
	err = rpc.Handle(e, "/math/add", func(ctx rpc.Context, nums []int) (int, error) {
		s := 0
		for _, n := range nums {
			s += n
		}
		return s, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := e.Listen(t.Context(), "tcp://127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- e.Serve(ln) }()
	ce, _ := rpc.New(rpc.Config{})
	c := ce.Client("tcp://" + ln.Addr().String())
	var sum int
	if err := c.Call(t.Context(), "/math/add", []int{1, 2, 3}, &sum); err != nil || sum != 6 {
		t.Fatal(err, sum)
	}
	t.Log(c.Call(t.Context(), "/math/nope", []int{1, 2, 3}, &sum))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := e.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	t.Log(<-served)
	t.Log(ce.Close(), e.Close())
}
