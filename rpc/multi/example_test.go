package multi_test

import (
	"context"
	"fmt"
	"log"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/multi"
)

// Three calls at once, over as many connections.
func Example() {
	ctx := context.Background()
	e, err := rpc.New(rpc.Config{Name: "math"})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	err = rpc.Handle(e, "/square", func(ctx rpc.Context, n int) (int, error) { return n * n, nil })
	if err != nil {
		log.Fatal(err)
	}
	ln, err := e.Listen(ctx, "tcp://127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go e.Serve(ln)

	p := multi.New(e, "tcp://"+ln.Addr().String(), multi.Options{Size: 3})
	defer p.Close()
	squares := make([]int, 3)
	var calls []*rpc.Async
	for n := range squares {
		calls = append(calls, p.Go(ctx, "/square", n+1, &squares[n]))
	}
	for _, c := range calls {
		if err := c.Wait(); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(squares)
	// Output: [1 4 9]
}
