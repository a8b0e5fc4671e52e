package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/dserver/dserver/host"
	"github.com/dserver/dserver/sandbox/httpservice"
)

const demoHint = `Try:
  curl http://127.0.0.1:8080/
`

func demo() *host.App {
	app := host.New("demo")
	app.Add(httpservice.New("web", web()), host.Listen("tcp://127.0.0.1:8080"))
	return app
}

func web() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello from process %d\n", os.Getpid())
	})
	mux.HandleFunc("GET /sleep", func(w http.ResponseWriter, r *http.Request) {
		ms, err := strconv.Atoi(r.FormValue("ms"))
		if err != nil {
			http.Error(w, "ms must be a number", http.StatusBadRequest)
			return
		}
		select {
		case <-time.After(time.Duration(ms) * time.Millisecond):
		case <-r.Context().Done():
		}
		fmt.Fprintf(w, "slept %d ms in process %d\n", ms, os.Getpid())
	})
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	})
	return mux
}
