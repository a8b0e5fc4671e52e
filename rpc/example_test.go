package rpc_test

import (
	"context"
	"fmt"
	"log"

	"github.com/dserver/dserver/rpc"
)

// A service, and a client that calls it, in one process.
func Example() {
	ctx := context.Background()
	e, err := rpc.New(rpc.Config{Name: "math"})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	err = rpc.Handle(e, "/math/add", func(ctx rpc.Context, nums []int) (int, error) {
		sum := 0
		for _, n := range nums {
			sum += n
		}
		return sum, nil
	})
	if err != nil {
		log.Fatal(err)
	}
	ln, err := e.Listen(ctx, "tcp://127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go e.Serve(ln)

	c := e.Client("tcp://" + ln.Addr().String())
	var sum int
	if err := c.Call(ctx, "/math/add", []int{1, 2, 3}, &sum); err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum)
	// Output: 6
}
