package securebody_test

import (
	"context"
	"fmt"
	"log"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/plugin/securebody"
	"github.com/dserver/dserver/rpc/status"
)

// A service that nobody talks to who does not have its key.
func Example() {
	ctx := context.Background()
	keys := []securebody.Key{{ID: "2026-11", Secret: []byte("32 random bytes that both have..")}}
	p, err := securebody.New(securebody.Options{Keys: keys, Required: true})
	if err != nil {
		log.Fatal(err)
	}
	e, err := rpc.New(rpc.Config{LastPlugins: []rpc.Plugin{p}})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	err = rpc.Handle(e, "/greet", func(ctx rpc.Context, name string) (string, error) { return "Hello, " + name, nil })
	if err != nil {
		log.Fatal(err)
	}
	ln, err := e.Listen(ctx, "tcp://127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go e.Serve(ln)

	friend, err := securebody.New(securebody.Options{Keys: keys, Required: true})
	if err != nil {
		log.Fatal(err)
	}
	for _, plugins := range [][]rpc.Plugin{{friend}, nil} {
		c, err := rpc.New(rpc.Config{LastPlugins: plugins})
		if err != nil {
			log.Fatal(err)
		}
		var text string
		err = c.Client("tcp://"+ln.Addr().String()).Call(ctx, "/greet", "Ada", &text)
		fmt.Printf("%q %d\n", text, status.CodeOf(err))
		c.Close()
	}
	// Output:
	// "Hello, Ada" 0
	// "" 409
}
