//go:build linux

package probe_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// standIn is the variable that turns the test binary into a process under test.
const standIn = "PROBE_TEST_CHILD"

func TestMain(m *testing.M) {
	name := os.Getenv(standIn)
	if name == "" {
		goleak.VerifyTestMain(m)
		return
	}
	run, ok := standIns()[name]
	if !ok {
		fmt.Fprintln(os.Stderr, "no such stand-in:", name)
		os.Exit(99)
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(98)
	}
}
