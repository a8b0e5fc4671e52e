//go:build slow && linux

package heartbeat_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/rpc/plugin/heartbeat"
	"github.com/dserver/dserver/rpc/plugin/plugintest"
	"github.com/dserver/dserver/rpc/status"
)

// TestTenThousandHeartbeats: both ends of ten thousand idle sessions, in the dearer
// mode, take less than a hundredth of one processor.
func TestTenThousandHeartbeats(t *testing.T) {
	const sessions, rate, most = 10_000, 30 * time.Second, 0.01
	ping, err := heartbeat.NewPing(rate, heartbeat.Call)
	if err != nil {
		t.Fatal(err)
	}
	b := plugintest.New(t, with(heartbeat.NewPong()))
	client := b.Endpoint(t, with(ping))
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			for range sessions / 10 {
				s, err := client.Dial(t.Context(), plugintest.Address)
				if err != nil {
					t.Error(err)
					return
				}
				// What the first message alone takes is no cost of heartbeats.
				if err := s.Call(t.Context(), "/nowhere", nil, nil); status.CodeOf(err) != status.NotFound {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	runtime.GC()
	began, before := time.Now(), processorTime(t)
	if n := b.Server.Stats().Handled; n != 0 {
		t.Errorf("%d were pinged while others were dialled", n)
	}
	<-time.After(rate + time.Second)
	used, took := processorTime(t)-before, time.Since(began)
	if n := b.Server.Stats().Handled; n != sessions {
		t.Errorf("%d pings came in", n)
	}
	if share := used.Seconds() / took.Seconds(); share > most {
		t.Errorf("heartbeats take %.2f %% of a processor", 100*share)
	} else {
		t.Logf("%d heartbeats, both ends of them, took %v in %v: %.2f %% of a processor", sessions, used, took, 100*share)
	}
}

// processorTime is what the process has used.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
