package logfile

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/dserver/dserver/internal/group"
)

// maxEcho is how much waits for a slow terminal; what comes beyond is not shown.
const maxEcho = 1 << 20

// echo copies lines to a terminal without ever waiting for it: somebody may have
// stopped its output, and the log must go on.
type echo struct {
	to     io.Writer
	writer *group.Group
	kick   chan struct{}

	mu      sync.Mutex
	waiting []byte
	skipped int // lines
}

func newEcho(to io.Writer) *echo {
	e := &echo{to: to, writer: group.New(context.Background(), nil), kick: make(chan struct{}, 1)}
	e.writer.Go("log echo", e.loop)
	return e
}

func (e *echo) add(lines []byte) {
	e.mu.Lock()
	if len(e.waiting)+len(lines) > maxEcho {
		e.skipped += bytes.Count(lines, []byte{'\n'})
	} else {
		e.waiting = append(e.waiting, lines...)
	}
	e.mu.Unlock()
	select {
	case e.kick <- struct{}{}:
	default:
	}
}

func (e *echo) loop(ctx context.Context) {
	for {
		select {
		case <-e.kick:
			e.write()
		case <-ctx.Done():
			e.write()
			return
		}
	}
}

func (e *echo) write() {
	e.mu.Lock()
	lines, skipped := e.waiting, e.skipped
	e.waiting, e.skipped = nil, 0
	e.mu.Unlock()
	if skipped > 0 {
		lines = fmt.Appendf(lines, "(%d lines are not shown here; they are in the log)\n", skipped)
	}
	if len(lines) > 0 {
		// A terminal that has gone away is no reason to stop anything.
		_, _ = e.to.Write(lines)
	}
}

// close writes what waits and gives up on a terminal that takes nothing.
func (e *echo) close() {
	ctx, cancel := context.WithTimeout(context.Background(), echoLimit)
	defer cancel()
	_ = e.writer.Stop(ctx)
}
