package main

import (
	"time"

	"github.com/dserver/dserver/host"
	"github.com/dserver/dserver/sandbox/httpservice"
)

const (
	demoMath = "tcp://127.0.0.1:9091"
	demoWeb  = "127.0.0.1:8080"

	// longestSleep is shorter than the stop limit, so that nothing the demo does
	// is ever cut.
	longestSleep = 9 * time.Second
)

// demoHint is printed once the demo runs.
const demoHint = `Try, in another terminal (dserver is "go run ./cmd/dserver", or go install it):
  curl http://` + demoWeb + `/                                  who answers
  curl -d hello http://` + demoWeb + `/echo
  dserver status
  dserver reload                       a new process takes over, nothing is lost
  dserver stop`

// demo is the application of start --demo. It is written as any user would.
func demo() *host.App {
	app := host.New("demo")
	app.Add(httpservice.New("web", web()), host.Listen("tcp://"+demoWeb))
	return app
}
