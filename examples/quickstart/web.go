package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/dserver/dserver/sandbox"
)

// webConfig is the table [sandbox.web.config] of the configuration file.
type webConfig struct {
	Greeting string `json:"greeting"`
	MaxBody  int64  `json:"max_body"` // of /echo, in bytes
}

// web makes the handler; it is called at each start of the sandbox.
func web(box *sandbox.Box) (http.Handler, error) {
	c := webConfig{Greeting: "hello", MaxBody: 1 << 20} // the defaults
	if err := box.Config(&c); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%s from process %d\n", c.Greeting, os.Getpid())
	})
	mux.HandleFunc("GET /sleep", sleep)
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, c.MaxBody))
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Write(body)
	})
	return mux, nil
}

// sleep answers after ?ms=N milliseconds, at most 9000.
func sleep(w http.ResponseWriter, r *http.Request) {
	ms, err := strconv.Atoi(r.FormValue("ms"))
	if err != nil || ms < 0 || ms > 9000 {
		http.Error(w, "ms must be a number from 0 to 9000", http.StatusBadRequest)
		return
	}
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
		fmt.Fprintf(w, "slept %d ms in process %d\n", ms, os.Getpid())
	case <-r.Context().Done(): // nobody waits for the answer
	}
}
