package main

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/dserver/dserver/bench/internal/process"
)

// TestMain lets the test binary be the server and the client of measurements.
func TestMain(m *testing.M) {
	if code, ok := process.Play(os.Args[1:]); ok {
		os.Exit(code)
	}
	// With the race detector each process would sleep for a second at its end.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	// Packages of peers start some when they are imported.
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}
