package ignorecase_test

import (
	"context"
	"fmt"
	"log"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/plugin/ignorecase"
)

func Example() {
	ctx := context.Background()
	server, err := rpc.New(rpc.Config{Plugins: []rpc.Plugin{ignorecase.Plugin{}}})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	err = rpc.Handle(server, "/math/add", func(_ rpc.Context, n []int) (int, error) { return n[0] + n[1], nil })
	if err != nil {
		log.Fatal(err)
	}
	ln, err := server.Listen(ctx, "tcp://127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go server.Serve(ln)

	s, err := server.Dial(ctx, "tcp://"+ln.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	var sum int
	err = s.Call(ctx, "/Math/ADD", []int{1, 2}, &sum)
	fmt.Println(sum, err)
	// Output: 3 <nil>
}
