package program

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dserver/dserver/host/config"
)

// TestBigProcessIsRecycled looks at the memory of this process in place of that of
// a program.
func TestBigProcessIsRecycled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.spawner.pid = os.Getpid() - 1 // the first process has our number
		def := definition("big")
		def.Reload, def.Recycle = config.ReloadReplace, config.Recycle{MaxRSS: 1 << 20}
		s.set.Apply(t.Context(), []config.Program{def}, nil, nil, nil)
		if got := s.set.Programs(false)[0].Instances[0]; got.Pid != os.Getpid() {
			t.Fatalf("got %+v", got)
		}
		time.Sleep(rssInterval - time.Second)
		if got := s.set.Programs(false)[0].Instances[0]; got.Generation != 1 {
			t.Errorf("recycled before anybody looked: %+v", got)
		}
		time.Sleep(4 * time.Second)
		got := s.set.Programs(true)[0].Instances[0]
		if got.Generation != 2 || got.State != Ready || got.History[0].By != byRecycle {
			t.Errorf("got %+v", got)
		}
	})
}
