package matrix

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain expects every goroutine and every descriptor to be gone at the end.
func TestMain(m *testing.M) {
	before := openFiles()
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if after := openFiles(); after > before && code == 0 {
			fmt.Fprintf(os.Stderr, "%d files were open before the tests, %d are after them\n", before, after)
			code = 1
		}
		os.Exit(code)
	}))
}

// openFiles is -1 where the system does not tell. Looking opens the poller of the
// runtime, if nothing has before.
func openFiles() int {
	r, w, err := os.Pipe()
	if err != nil {
		return -1
	}
	defer r.Close()
	defer w.Close()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(entries)
}
