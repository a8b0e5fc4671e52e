package hosttest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/dserver/dserver/host/hosttest"
	"github.com/dserver/dserver/internal/proc"
)

// family lists all processes that work in the folder of an instance, but those of
// the instance itself: also those that have hidden their environment.
func family(t *testing.T, in *hosttest.Instance) (pids []int) {
	t.Helper()
	for _, pid := range proc.Pids() {
		where, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
		if err != nil || where != in.Folder {
			continue // it has ended, or works elsewhere
		}
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err == nil && filepath.Dir(exe) != in.Folder {
			pids = append(pids, pid)
		}
	}
	return pids
}
