package rpc

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

type counters struct {
	handled       atomic.Int64
	lateReplies   atomic.Int64
	droppedPushes atomic.Int64
	overloads     atomic.Int64
	badFrames     atomic.Int64
	panics        atomic.Int64
	reliefs       atomic.Int64
}

// Stats counts what happened in an endpoint since it was made.
type Stats struct {
	Sessions      int   // there now, also those that are set up or end
	Handlers      int   // running now, or with a reply that waits for room
	Handled       int64 // messages that handlers have finished
	LateReplies   int64 // that came when nobody waited any more
	DroppedPushes int64 // for which there was no route or no room
	Overloads     int64 // messages that were refused at a bound
	BadFrames     int64 // that ended their session
	Panics        int64 // of handlers
	Reliefs       int64 // handlers that took longer than thought: others read on meanwhile
}

// Stats gives the counters now.
func (e *Endpoint) Stats() Stats {
	e.mu.Lock()
	sessions := len(e.sessions)
	e.mu.Unlock()
	return Stats{
		Sessions:      sessions,
		Handlers:      int(e.running.Load()),
		Handled:       e.counters.handled.Load(),
		LateReplies:   e.counters.lateReplies.Load(),
		DroppedPushes: e.counters.droppedPushes.Load(),
		Overloads:     e.counters.overloads.Load(),
		BadFrames:     e.counters.badFrames.Load(),
		Panics:        e.counters.panics.Load(),
		Reliefs:       e.counters.reliefs.Load(),
	}
}

// thrift lets one log line a second through, so that a flood of bad input does
// not become a flood of log.
type thrift struct {
	mu      sync.Mutex
	next    time.Time
	skipped int
}

func (t *thrift) log(l *slog.Logger, msg string, args ...any) {
	t.mu.Lock()
	now := time.Now()
	if now.Before(t.next) {
		t.skipped++
		t.mu.Unlock()
		return
	}
	skipped := t.skipped
	t.next, t.skipped = now.Add(time.Second), 0
	t.mu.Unlock()
	if skipped > 0 {
		args = append(args, "more_since_last", skipped)
	}
	l.Warn(msg, args...)
}
