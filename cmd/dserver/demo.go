package main

import (
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
	return strings.ReplaceAll(`Try in another terminal:
  curl http://127.0.0.1:8080/             # which process answers
  curl -d hello http://127.0.0.1:8080/echo
  dserver call tcp://127.0.0.1:9091 /math/add '[1,2,3]'
  dserver status
  dserver reload                          # new processes, and no request lost
  dserver stop`, "  dserver ", "  "+command+" ")
}
