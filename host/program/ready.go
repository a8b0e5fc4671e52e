package program

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/dserver/dserver/host/config"
)

// isReady says that a run is ready.
type isReady struct{ run *run }

func (m isReady) apply(u *unit) {
	r := m.run
	if r.ready || r.over || r.ctx.Err() != nil {
		return
	}
	if r.child == nil {
		r.early = true
		return
	}
	switch r {
	case u.run:
		if u.state != Starting {
			return
		}
		r.ready = true
		u.alarms.clear(startOver)
		u.attend()
		u.move(isOK, u.by, "")
	case u.next:
		r.ready = true
		u.alarms.clear(startOver)
		u.alarms.in(probationOver, u.around.limits().Probation)
	}
}

// neverReady says that a run cannot become ready any more.
type neverReady struct {
	run *run
	why string
}

func (m neverReady) apply(u *unit) {
	r := m.run
	switch {
	case r.ready || r.over:
	case r == u.run && u.state == Starting:
		r.why = m.why
		u.stop(r, byProbe, true)
		u.move(ending, byProbe, m.why)
	case r == u.next:
		r.why = m.why
		u.stop(r, byProbe, false)
	}
}

// isBlocked says that what a run needs cannot come by itself; with an empty text,
// that it can again.
type isBlocked struct {
	run *run
	why string
}

func (m isBlocked) apply(u *unit) {
	if m.run != u.run || m.run.child != nil || m.why == m.run.blocked {
		return
	}
	u.reason, u.dirty = m.why, true
	m.run.blocked = m.why
	u.show()
	u.around.news()
}

// lookAgain is for a wish that may have brought what the run needs under way: what
// is known to be missing was so before it.
func (u *unit) lookAgain() {
	if u.run.blocked != "" {
		isBlocked{run: u.run, why: u.around.missing(u.run.def.Needs)}.apply(u)
	}
}

// isUnwell says that a run has failed its probes.
type isUnwell struct {
	run    *run
	why    string
	action config.Reload
}

func (m isUnwell) apply(u *unit) { u.unwell(m.run, byProbe, m.why, m.action) }

// shorten makes d smaller at random, by up to the given part of it.
func shorten(d time.Duration, part float64) time.Duration {
	return d - time.Duration(float64(d)*part*rand.Float64())
}

// stopDone says how a stop went; that the process has ended is seen by itself.
type stopDone struct {
	run *run
	err error
}

func (m stopDone) apply(u *unit) {
	if m.err == nil {
		return
	}
	m.run.hurry = nil // another stop may try again
	u.dropWaiters(goalDown, m.err)
	u.around.publish(Warned{Place: u.place(m.run), Text: fmt.Sprint(m.err)})
}
