package hostlimit_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/plugin/hostlimit"
	"github.com/dserver/dserver/rpc/status"
)

// A host that may have one session at a time.
func Example() {
	ctx := context.Background()
	e, err := rpc.New(rpc.Config{
		Plugins: []rpc.Plugin{hostlimit.New(hostlimit.Options{Sessions: 1})},
		Logger:  slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	ln, err := e.Listen(ctx, "tcp://127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go e.Serve(ln)

	for range 2 {
		s, err := e.Dial(ctx, "tcp://"+ln.Addr().String())
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(status.CodeOf(s.Call(ctx, "/nowhere", nil, nil)))
	}
	// Output:
	// Not Found
	// Connection Closed
}
