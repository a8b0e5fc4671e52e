package hosttest_test

import (
	"fmt"
	"testing"

	"github.com/dserver/dserver/host/hosttest"
)

// A listening socket that is set blocking in one process is blocking in all that
// share it: Accept would then not obey deadlines in any of them.
func TestListeningSocketsStayNonBlocking(t *testing.T) {
	hosttest.EachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Start()
		for i := range 3 {
			in.MustReload(hosttest.Build{Label: fmt.Sprintf("build-%d", i)})
		}
		found := in.Listening()
		if len(found) < 7 { // two of three sandboxes each, and the control socket
			t.Errorf("only %d listening descriptors: %v", len(found), found)
		}
		for _, d := range found {
			if d.Blocking {
				t.Errorf("%v is blocking", d)
			}
		}
	})
}
