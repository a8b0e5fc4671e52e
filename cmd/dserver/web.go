package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

// mostEcho is the largest body that /echo takes, in bytes.
const mostEcho = 1 << 20

// web is the demo's HTTP side.
func web() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", hello)
	mux.HandleFunc("GET /sleep", sleep)
	mux.HandleFunc("POST /echo", echo)
	return mux
}

func hello(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintf(w, "hello from process %d\n", os.Getpid())
}

// sleep answers after ?ms=N milliseconds.
func sleep(w http.ResponseWriter, r *http.Request) {
	ms, err := strconv.Atoi(r.FormValue("ms"))
	if err != nil || ms < 0 || ms > int(longestSleep/time.Millisecond) {
		http.Error(w, fmt.Sprintf("ms must be a number from 0 to %d", longestSleep/time.Millisecond), http.StatusBadRequest)
		return
	}
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
		fmt.Fprintf(w, "slept %d ms in process %d\n", ms, os.Getpid())
	case <-r.Context().Done(): // nobody waits for the answer
	}
}

// echo answers with the body of the request. It takes all of it before it
// answers: what is too large is refused, not sent back by halves.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostEcho))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		http.Error(w, fmt.Sprintf("the body must not be larger than %d bytes", tooLarge.Limit), http.StatusRequestEntityTooLarge)
	case err != nil:
		http.Error(w, "cannot read the body", http.StatusBadRequest)
	default:
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write(body) // the client may have gone
	}
}
