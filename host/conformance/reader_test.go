package conformance

import (
	"os"
	"strings"
	"testing"

	"github.com/dserver/dserver/host/hosttest"
)

// TestReaderThatGoesAway: an instance whose output nobody reads any more lives on.
func TestReaderThatGoesAway(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		p, reader := piped(t, in)
		stopAtTheEnd(t, in)
		waitFor(t, "the start", func() bool {
			info, err := in.Client.Info(t.Context())
			return err == nil && info.State == "running"
		})
		reader.Close()
		for _, line := range []string{"restart web", "reload", "restart web"} { // each makes it print
			words := strings.Fields(line)
			if got := in.Run(words[0], words[1:]...); got.Code != 0 {
				t.Fatalf("%s: %v", line, got)
			}
		}
		if _, err := get(t.Context(), in.Addr("web", "tcp"), "/"); err != nil {
			t.Error(err)
		}
		in.Stop()
		p.wait()
	})
}

// piped starts an instance in the foreground whose output goes into a pipe.
func piped(t *testing.T, in *hosttest.Instance) (*process, *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	defer w.Close()
	return beginInto(t, in, w, in.Binary, "start"), r
}
