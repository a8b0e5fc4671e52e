package main

import (
	"os"

	"github.com/dserver/dserver/host"
)

func main() {
	app := host.New("dserver")
	app.Describe("Supervise services and replace them without losing a request")
	app.Demo(demo(), demoHint(os.Args[0]))
	os.Exit(app.Main())
}
