package host

import (
	"context"
	"os"
	"strconv"
	"time"

	"github.com/dserver/dserver/internal/inherit"
)

// watchdogInterval is how often a service manager wants to hear WATCHDOG=1; 0 if it
// does not want to, or means another process.
func watchdogInterval(getenv func(string) string) time.Duration {
	if pid := getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	limit, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || limit <= 0 {
		return 0
	}
	// Half of the limit, as the protocol advises.
	return time.Duration(limit) * time.Microsecond / 2
}

// feedWatchdog shows the service manager above that this process is alive: its
// state can be locked and its goroutines run.
func (m *master) feedWatchdog(ctx context.Context) {
	if m.watchdog == 0 || m.notify == "" {
		return
	}
	tick := time.NewTicker(m.watchdog)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if m.isStopping() || m.awaitsOrder() {
			continue
		}
		if err := inherit.Notify(ctx, m.notify, "WATCHDOG=1"); err != nil && ctx.Err() == nil {
			m.log.Warn("cannot notify the service manager", "error", err)
		}
	}
}
