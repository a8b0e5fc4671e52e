//go:build slow && unix

package httpservice_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// The load test runs in a process that is stopped for a while, again and again,
// as a machine with too much to do stops one: what was to happen one after the
// other happens at once. No request may be lost by that.
func TestNoRequestIsLostWhenTheProcessStandsStill(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestNoRequestIsLostBetweenGenerations$", "-test.v")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // received below in every case
	stops := 0
	for {
		select {
		case err := <-ended:
			t.Logf("stopped %d times\n%s", stops, &out)
			if err != nil {
				t.Error(err)
			}
			return
		case <-time.After(rand.N(90 * time.Millisecond)):
		}
		// Errors mean that it has just ended.
		_ = cmd.Process.Signal(syscall.SIGSTOP)
		time.Sleep(100*time.Millisecond + rand.N(300*time.Millisecond))
		_ = cmd.Process.Signal(syscall.SIGCONT)
		stops++
	}
}
