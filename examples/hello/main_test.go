package main

import (
	"testing"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/sandbox/rpcservice"
	"github.com/dserver/dserver/sandbox/sandboxtest"
)

// A service is tested on real sockets and without a master; when the test ends it
// must drain and leave nothing behind.
func TestAdd(t *testing.T) {
	math := sandboxtest.Run(t, rpcservice.New("math", func(e *rpc.Endpoint) error { return e.Register(Math{}) }), sandboxtest.Options{})
	client, err := rpc.New(rpc.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	var sum int
	if err := client.Client("tcp://"+math.Addr()).Call(t.Context(), "/math/add", []int{1, 2, 3}, &sum); err != nil || sum != 6 {
		t.Errorf("1 + 2 + 3 is %d, %v", sum, err)
	}
}
