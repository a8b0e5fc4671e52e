package logfile

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/dserver/dserver/internal/group"
)

const (
	// maxEcho is how much waits for a slow terminal; what comes beyond is not shown.
	maxEcho = 1 << 20
	// patience is how long those wait for it who do not want that.
	patience = 10 * time.Second
)

// echo copies lines to a terminal or to whoever reads our output, which must not
// hold up the rest for ever: somebody may have stopped it, and work must go on.
type echo struct {
	to      io.Writer
	patient bool
	hint    string // for those who miss lines
	writer  *group.Group
	kick    chan struct{}

	mu      sync.Mutex
	waiting []byte
	skipped int           // lines
	room    chan struct{} // closed when what waited has been taken
	stuck   bool          // nobody waits for it any more
}

// newEcho returns an echo that never makes anybody wait.
func newEcho(to io.Writer) *echo {
	return startEcho(&echo{to: to, hint: "; they are in the log"})
}

// newPatientEcho returns one for which lines wait.
func newPatientEcho(to io.Writer) *echo { return startEcho(&echo{to: to, patient: true}) }

func startEcho(e *echo) *echo {
	e.writer, e.kick, e.room = group.New(context.Background(), nil), make(chan struct{}, 1), make(chan struct{})
	e.writer.Go("log echo", e.loop)
	return e
}

func (e *echo) add(lines []byte) {
	e.mu.Lock()
	if e.patient {
		e.await(len(lines))
	}
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

// await returns when there is room, or when that takes too long. The mutex is held
// before and afterwards.
func (e *echo) await(size int) {
	if len(e.waiting)+size <= maxEcho || e.stuck {
		return
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for len(e.waiting)+size > maxEcho && !e.stuck {
		room := e.room
		e.mu.Unlock()
		stuck := false
		select {
		case <-room:
		case <-timer.C:
			stuck = true
		}
		e.mu.Lock()
		e.stuck = e.stuck || stuck
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
	close(e.room)
	e.room = make(chan struct{})
	e.mu.Unlock()
	if skipped > 0 {
		lines = fmt.Appendf(lines, "(%d lines are not shown here%s)\n", skipped, e.hint)
	}
	if len(lines) > 0 {
		// A terminal that has gone away is no reason to stop anything.
		_, _ = e.to.Write(lines)
	}
	e.mu.Lock()
	e.stuck = false
	e.mu.Unlock()
}

// close writes what waits and gives up on a terminal that takes nothing.
func (e *echo) close() {
	ctx, cancel := context.WithTimeout(context.Background(), echoLimit)
	defer cancel()
	_ = e.writer.Stop(ctx)
}
