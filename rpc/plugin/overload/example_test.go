package overload_test

import (
	"context"
	"fmt"
	"log"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/plugin/overload"
	"github.com/dserver/dserver/rpc/status"
)

// A route that can do one thing at a time and lets nobody wait.
func Example() {
	ctx := context.Background()
	e, err := rpc.New(rpc.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	started, finish := make(chan bool), make(chan bool)
	err = rpc.Handle(e, "/report", func(rpc.Context, any) (string, error) {
		started <- true
		<-finish
		return "a report", nil
	}, rpc.WithPlugins(overload.New(overload.Options{Running: 1, Waiting: -1})))
	if err != nil {
		log.Fatal(err)
	}
	ln, err := e.Listen(ctx, "tcp://127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go e.Serve(ln)

	c := e.Client("tcp://" + ln.Addr().String())
	var text string
	first := c.Go(ctx, "/report", nil, &text)
	<-started
	st, _ := status.From(c.Call(ctx, "/report", nil, nil))
	fmt.Println(st, st.Retry)
	finish <- true
	fmt.Println(first.Wait(), text)
	// Output:
	// 503 Overloaded: 1 handlers run and 0 messages wait true
	// <nil> a report
}
