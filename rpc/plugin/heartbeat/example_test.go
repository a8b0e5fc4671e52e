package heartbeat_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/plugin/heartbeat"
)

// A client that keeps its sessions alive, and a server that closes those of clients
// that are gone.
func Example() {
	ctx := context.Background()
	server, err := rpc.New(rpc.Config{Plugins: []rpc.Plugin{heartbeat.NewPong()}})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	ln, err := server.Listen(ctx, "tcp://127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go server.Serve(ln)

	ping, err := heartbeat.NewPing(30*time.Second, heartbeat.Call)
	if err != nil {
		log.Fatal(err)
	}
	client, err := rpc.New(rpc.Config{Plugins: []rpc.Plugin{ping}})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	s, err := client.Dial(ctx, "tcp://"+ln.Addr().String())
	fmt.Println(s.Healthy(), err)
	// Output: true <nil>
}
