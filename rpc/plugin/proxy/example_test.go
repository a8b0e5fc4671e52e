package proxy_test

import (
	"context"
	"fmt"
	"log"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/plugin/proxy"
)

// A service, and a proxy that has no routes of its own.
func Example() {
	ctx := context.Background()
	service, err := rpc.New(rpc.Config{Name: "service"})
	if err != nil {
		log.Fatal(err)
	}
	defer service.Close()
	err = rpc.Handle(service, "/greet", func(ctx rpc.Context, name string) (string, error) { return "Hello, " + name, nil })
	if err != nil {
		log.Fatal(err)
	}
	ln, err := service.Listen(ctx, "tcp://127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go service.Serve(ln)

	var backend *rpc.Client
	front, err := rpc.New(rpc.Config{Name: "proxy", Plugins: []rpc.Plugin{
		proxy.New(func(context.Context, proxy.Label) (proxy.Forwarder, error) { return backend, nil }, proxy.Options{}),
	}})
	if err != nil {
		log.Fatal(err)
	}
	defer front.Close()
	backend = front.Client("tcp://" + ln.Addr().String())
	door, err := front.Listen(ctx, "tcp://127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go front.Serve(door)

	user, err := rpc.New(rpc.Config{Name: "user"})
	if err != nil {
		log.Fatal(err)
	}
	defer user.Close()
	var text string
	if err := user.Client("tcp://"+door.Addr().String()).Call(ctx, "/greet", "Ada", &text); err != nil {
		log.Fatal(err)
	}
	fmt.Println(text)
	// Output: Hello, Ada
}
