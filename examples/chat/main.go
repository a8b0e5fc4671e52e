package main

import (
	"os"

	"github.com/dserver/dserver/host"
	"github.com/dserver/dserver/sandbox/rpcservice"
)

func main() {
	app := host.New("chat")
	app.Add(rpcservice.New("room", room, rpcservice.WithConfig(config())), host.Listen("tcp://127.0.0.1:9093"))
	os.Exit(app.Main())
}
