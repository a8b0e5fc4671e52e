package supervise

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// sweepLimit is how long what a process left behind may take to be gone once it
	// has been killed.
	sweepLimit = 5 * time.Second
	// deafPause is how long to wait before looking again at a process that has
	// exited and that the system does not give us yet: somebody traces it.
	deafPause = 10 * time.Millisecond
	// doubtPause is how long to wait before looking again while somebody is on the
	// move, and maxDoubts how often.
	doubtPause = time.Millisecond
	maxDoubts  = 50
)

// undertaker sees to what processes leave behind when they exit, and then takes
// them from the system. It works in rounds: however many have exited, there is one
// look at the system for all. It belongs to the goroutine of the poll.
type undertaker struct {
	spawner  *Spawner
	funerals []*funeral         // in the order of the exits
	dead     map[*Process]bool  // those of the funerals
	members  map[pidfd]*funeral // of those who have been killed; they are in the poll
	ghosts   map[int]uint64     // orphans that had exited at the last look, with the time of their start
}

// funeral is what there is to do for one process.
type funeral struct {
	process *Process
	exit    Exit
	due     time.Time // when to look; zero while members are awaited
	limit   time.Time // nobody is waited for longer; zero before the first look
	members []member
	awaited int
	doubts  int // looks so far that did not show for sure that nothing is left
}

// member is somebody that a process has left behind. It has been killed.
type member struct {
	pid  int
	ref  pidfd
	gone bool
}

// notice takes note of an exit.
func (u *undertaker) notice(ref pidfd) {
	if f := u.members[ref]; f != nil {
		f.bereave(ref)
		return
	}
	p := u.spawner.ward(ref)
	// The number may have been that of another descriptor when the poll spoke.
	if p == nil || !ref.exited() || u.dead[p] {
		return
	}
	if !p.expire(ref) {
		return
	}
	now := time.Now()
	u.dead[p] = true
	u.funerals = append(u.funerals, &funeral{
		process: p, exit: Exit{Started: p.started, Ended: now}, due: now,
		members: p.takeKin(),
	})
}

func (f *funeral) bereave(ref pidfd) {
	i := slices.IndexFunc(f.members, func(m member) bool { return m.ref == ref })
	if i < 0 || f.members[i].gone {
		return
	}
	f.members[i].gone = true
	if f.awaited--; f.awaited == 0 {
		f.due = time.Now()
	}
}

// next is when round is to be called again if nothing happens; the zero time is
// never.
func (u *undertaker) next() time.Time {
	var next time.Time
	for _, f := range u.funerals {
		when := f.due
		if when.IsZero() {
			when = f.limit
		}
		if next.IsZero() || when.Before(next) {
			next = when
		}
	}
	return next
}

// round looks at all processes that it is time for.
func (u *undertaker) round(now time.Time) {
	var due []*funeral
	for _, f := range u.funerals {
		if f.limit.IsZero() {
			f.limit = now.Add(sweepLimit)
		}
		if !f.due.IsZero() && !f.due.After(now) || !f.limit.After(now) {
			due = append(due, f)
		}
	}
	if len(due) == 0 {
		return
	}
	found, doubt := u.leftovers(due)
	for _, f := range due {
		f.members = append(f.members, found[f]...)
		waiting, late := u.kill(f)
		if waiting && f.limit.After(now) {
			continue
		}
		if f.doubts++; (late || doubt[f]) && f.limit.After(now) {
			f.due = now.Add(doubtPause)
			continue
		}
		if u.bury(f, now) {
			delete(u.dead, f.process)
		}
	}
	u.funerals = slices.DeleteFunc(u.funerals, func(f *funeral) bool { return !u.dead[f.process] })
}

// kill kills what is left of a process, and tells whether anything is. Who has
// exited since it was found is late: whom it left to us came after the look.
func (u *undertaker) kill(f *funeral) (waiting, late bool) {
	f.awaited = 0
	for i, m := range f.members {
		if m.gone {
			continue
		}
		if m.ref.exited() {
			f.members[i].gone, late = true, true
			continue
		}
		if f.awaited == 0 && f.process.group == nil {
			_ = f.process.killGroup() // who is not in it is killed below
		}
		f.awaited++
		if u.members[m.ref] != nil {
			continue
		}
		// It has been killed with all the others, or cannot be.
		_ = m.ref.signal(unix.SIGKILL)
		// Without the poll's word the limit ends the wait.
		if u.spawner.exits.poll.add(int(m.ref), unix.EPOLLIN, uint64(m.ref)) == nil {
			u.members[m.ref] = f
		}
	}
	f.due = time.Time{}
	return f.awaited > 0, late
}

// bury tells false if the process cannot be buried yet.
func (u *undertaker) bury(f *funeral, now time.Time) bool {
	p, s := f.process, u.spawner
	for _, m := range f.members {
		if m.ref.exited() {
			f.exit.Swept++
		} else {
			f.exit.Left = append(f.exit.Left, m.pid)
		}
	}
	slices.Sort(f.exit.Left)
	if !s.bury(p, f) {
		f.exit.Swept, f.exit.Left, f.due = 0, nil, now.Add(deafPause)
		return false
	}
	for _, m := range f.members {
		u.release(m)
	}
	p.settle()
	return true
}

// release lets go of a member; whoever is left is not ours any more.
func (u *undertaker) release(m member) {
	if u.members[m.ref] != nil {
		delete(u.members, m.ref)
		// It is in the poll, and then it is our own.
		_ = u.spawner.exits.poll.remove(int(m.ref))
	}
	_ = m.ref.close()
}

// bury takes a process and what it left behind from the system, writes down how it
// ended, and lets its streams come to their ends.
func (s *Spawner) bury(p *Process, f *funeral) bool {
	s.family.Lock()
	defer s.family.Unlock()
	if !p.reap(f.exit) {
		return false
	}
	for _, m := range f.members {
		m.ref.bury()
	}
	s.forget(p)
	for _, o := range p.outputs {
		o.finish()
	}
	return true
}
