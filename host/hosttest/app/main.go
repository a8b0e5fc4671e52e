package main

import (
	"fmt"
	"os"

	"github.com/dserver/dserver/host"
	"github.com/dserver/dserver/sandbox/gfservice"
	"github.com/dserver/dserver/sandbox/httpservice"
	"github.com/dserver/dserver/sandbox/rpcservice"
)

func main() {
	if fault := stamped("fault"); fault == "exit-in-main" {
		fmt.Fprintln(os.Stderr, "this build ends before it has begun")
		os.Exit(exitCode)
	}
	app := host.New("app")
	app.Add(rpcservice.New("math", mathRoutes))
	app.Add(httpservice.New("web", routes()))
	app.Add(gfservice.New("shop", shop))
	app.Add(faulty{}, host.InWorker("web"))
	os.Exit(app.Main())
}
