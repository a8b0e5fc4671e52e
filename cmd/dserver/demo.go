package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/dserver/dserver/host"
	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/sandbox/httpservice"
	"github.com/dserver/dserver/sandbox/rpcservice"
)

// longestSleep is shorter than the stop limit, so that a stop cuts nothing the
// demo does.
const longestSleep = 9 * time.Second

// demo is the application of start --demo. It is written as any user would.
func demo() *host.App {
	app := host.New("demo")
	app.Add(rpcservice.New("math", func(e *rpc.Endpoint) error { return e.Register(math{}) }), host.Listen("tcp://127.0.0.1:9091"))
	app.Add(httpservice.New("web", web()), host.Listen("tcp://127.0.0.1:8080"))
	return app
}

// demoHint says what to try once the demo runs; every line can be typed as it
// is. command is how this program was started.
func demoHint(command string) string {
	if strings.Contains(command, "go-build") { // go run put it there and removes it again
		command = "go run ./cmd/dserver"
	}
	hint := "Try in another terminal:\n"
	for _, try := range [][2]string{
		{"curl http://127.0.0.1:8080/", "which process answers"},
		{"curl -d hello http://127.0.0.1:8080/echo", "the same back"},
		{command + " call tcp://127.0.0.1:9091 /math/add '[1,2,3]'", "a call by rpc"},
		{command + " status", "what runs where"},
		{command + " reload", "new processes, and no request lost"},
		{command + " stop", "the end of it"},
	} {
		hint += fmt.Sprintf("  %-66s # %s\n", try[0], try[1])
	}
	return hint
}
