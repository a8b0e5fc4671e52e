package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// buildHeader is the header of every answer that tells the build.
const buildHeader = "X-Build"

// routes are those of the HTTP sandbox.
func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "hello from %d", os.Getpid())
	})
	mux.HandleFunc("GET /sleep", func(w http.ResponseWriter, r *http.Request) {
		ms, err := strconv.Atoi(r.FormValue("ms"))
		if err != nil {
			http.Error(w, "ms must be a number", http.StatusBadRequest)
			return
		}
		select {
		case <-time.After(time.Duration(ms) * time.Millisecond):
			fmt.Fprintf(w, "slept %d", ms)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body) // the client sees what is missing
	})
	mux.HandleFunc("GET /env", func(w http.ResponseWriter, r *http.Request) {
		out, err := environment(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(out) // the client sees what is missing
	})
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("as asked for") })
	handleLimits(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(buildHeader, stamped("build"))
		mux.ServeHTTP(w, r)
	})
}

// environment is what a child process of a handler sees.
func environment(ctx context.Context) ([]byte, error) {
	return exec.CommandContext(ctx, "env").Output()
}
