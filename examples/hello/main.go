package main

import (
	"os"

	"github.com/dserver/dserver/host"
	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/sandbox/rpcservice"
)

// Math is a service: each method that takes an rpc.Context answers a call.
type Math struct{}

// Add answers /math/add.
func (Math) Add(_ rpc.Context, nums []int) (sum int, err error) {
	for _, n := range nums {
		sum += n
	}
	return sum, nil
}

func main() {
	app := host.New("hello")
	math := rpcservice.New("math", func(e *rpc.Endpoint) error { return e.Register(Math{}) })
	app.Add(math, host.Listen("tcp://127.0.0.1:9091"))
	os.Exit(app.Main()) // start, status, reload, stop and all other verbs
}
