package main

import (
	"os"

	"github.com/dserver/dserver/host"
	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/sandbox/httpservice"
	"github.com/dserver/dserver/sandbox/rpcservice"
)

func main() {
	app := host.New("quickstart")
	app.Describe("Sum numbers by rpc and say hello by HTTP")
	app.Add(rpcservice.New("math", func(e *rpc.Endpoint) error { return e.Register(Math{}) }))
	app.Add(httpservice.NewFunc("web", web))
	os.Exit(app.Main())
}
