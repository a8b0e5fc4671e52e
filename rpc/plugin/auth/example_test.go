package auth_test

import (
	"context"
	"fmt"
	"log"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/plugin/auth"
	"github.com/dserver/dserver/rpc/status"
)

// A server that asks for a token, and two clients.
func Example() {
	ctx := context.Background()
	checker := auth.NewChecker(func(_ context.Context, s rpc.EarlySession, token string) (any, error) {
		if token != "open sesame" {
			return nil, status.New(status.Unauthorized, "wrong token")
		}
		s.SetID("ali")
		return "welcome", nil
	})
	server, err := rpc.New(rpc.Config{Plugins: []rpc.Plugin{checker}})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	ln, err := server.Listen(ctx, "tcp://127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go server.Serve(ln)

	for _, token := range []string{"open barley", "open sesame"} {
		bearer := auth.NewBearer(
			func(context.Context, rpc.EarlySession) (any, error) { return token, nil },
			auth.OnPass(func(_ rpc.EarlySession, pass string) error {
				fmt.Println("the server says", pass)
				return nil
			}))
		client, err := rpc.New(rpc.Config{Plugins: []rpc.Plugin{bearer}})
		if err != nil {
			log.Fatal(err)
		}
		defer client.Close()
		_, err = client.Dial(ctx, "tcp://"+ln.Addr().String())
		fmt.Println(err)
	}
	// Output:
	// 105 Dial Failed: wrong token
	// the server says welcome
	// <nil>
}
