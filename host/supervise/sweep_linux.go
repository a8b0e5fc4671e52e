package supervise

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/proc"
)

// leftovers finds what runs still of the trees of processes that have exited and
// have not been reaped; only so nobody else can have their numbers. A member that
// is known already is not given again. doubt says for whom it has to look again,
// because something was moving.
//
// Who has a control group is asked there, which is cheap and leaves nobody out.
// For all others together there is one look at the system: at those children of
// ours that we did not start, if orphans come to us, else at everybody.
func (u *undertaker) leftovers(dead []*funeral) (found map[*funeral][]member, doubt map[*funeral]bool) {
	found, doubt = make(map[*funeral][]member), make(map[*funeral]bool)
	var rest []*funeral
	for _, f := range dead {
		empty, err := f.process.group.Empty()
		switch {
		case f.process.group == nil || err != nil:
			rest = append(rest, f)
		case !empty:
			found[f] = inGroup(f)
			// Whoever is there may have forked and exited before we got hold of it.
			doubt[f] = true
		}
	}
	if len(rest) == 0 {
		return found, doubt
	}
	l := newLineage(u, rest, found)
	l.search()
	u.ghosts = l.dead
	for _, f := range rest {
		doubt[f] = l.doubt && f.doubts < l.patience()
	}
	return found, doubt
}

// patience is how often to look again. Of everybody there is always somebody on the
// move, and a look takes long.
func (l *lineage) patience() int {
	switch {
	case !l.everyone:
		return maxDoubts
	case l.becoming:
		return 5
	}
	return 2
}

// inGroup finds the members of a process by its control group, and kills the
// group, so that those who were not found yet are not there for long.
func inGroup(f *funeral) (members []member) {
	known := make(map[int]bool)
	for _, m := range f.members {
		known[m.pid] = !m.gone
	}
	// What cannot be found can still be killed.
	pids, _ := f.process.group.Pids()
	for _, pid := range pids {
		if known[pid] {
			continue
		}
		if ref, err := openPidfd(pid); err == nil {
			members = append(members, member{pid: pid, ref: ref})
		}
	}
	// If it cannot be killed as a whole, it is one by one.
	_ = f.process.group.Kill()
	return members
}

// lineage finds out who came of which process.
type lineage struct {
	spawner  *Spawner
	funerals []*funeral
	sessions map[int]*funeral    // by the number of the process that has exited
	ids      map[string]*funeral // by INVOCATION_ID
	pipes    map[string]*funeral // by what /proc says of the pipes of its output
	everyone bool                // orphans do not come to us
	found    map[*funeral][]member
	seen     map[int]bool
	ghosts   map[int]uint64 // those that had exited when we looked last, with the time of their start
	dead     map[int]uint64 // likewise, now
	buf      []byte
	doubt    bool // somebody was on the move, and may have left somebody behind who was not looked at
	becoming bool // somebody was becoming another program
}

func newLineage(u *undertaker, dead []*funeral, found map[*funeral][]member) *lineage {
	l := &lineage{
		spawner: u.spawner, funerals: dead, sessions: make(map[int]*funeral), ids: make(map[string]*funeral),
		everyone: !isReaper() || !u.spawner.exits.crib.open(), found: found, seen: map[int]bool{os.Getpid(): true},
		ghosts: u.ghosts, dead: make(map[int]uint64),
	}
	for _, f := range dead {
		p := f.process
		l.ids[p.invocation] = f
		if p.child {
			l.sessions[p.pid] = f
		} else {
			// Its number may belong to somebody else by now, and its orphans do
			// not come to us.
			l.everyone = true
		}
		for _, m := range f.members {
			l.seen[m.pid] = true
		}
	}
	return l
}

// isReaper tells whether orphans become children of ours.
func isReaper() bool {
	var is int32
	_, _, errno := unix.RawSyscall(unix.SYS_PRCTL, unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&is)), 0)
	return os.Getpid() == 1 || errno == 0 && is != 0
}

func (l *lineage) search() {
	for _, pid := range l.candidates() {
		f := l.origin(pid)
		if f == nil {
			continue
		}
		l.add(f, pid, func() bool { return l.origin(pid) == f })
	}
	// Known members have descendants as well.
	for _, f := range l.funerals {
		for _, m := range f.members {
			if !m.gone {
				l.descend(f, m.pid)
			}
		}
	}
}

// candidates are those who may be orphans, the youngest first: they are the first
// to be gone again.
func (l *lineage) candidates() []int {
	var pids []int
	if l.everyone {
		pids = proc.Pids()
	} else {
		pids = l.spawner.exits.crib.orphans()
	}
	// A child of ours that is just being born is known once the family is at rest.
	l.spawner.family.Lock()
	defer l.spawner.family.Unlock()
	pids = slices.DeleteFunc(pids, func(pid int) bool { return l.spawner.children[pid] != nil })
	slices.Reverse(pids)
	return pids
}

// origin tells which process somebody came of, as far as it shows: by its session
// or group, its environment, or its output. nil is none of ours.
func (l *lineage) origin(pid int) *funeral {
	stat, err := proc.ReadStat(pid)
	if err != nil {
		l.doubt = true
		return nil
	}
	if stat.Gone() {
		// It may have left a child to us since we began to look.
		l.dead[pid] = stat.Ticks
		l.doubt = l.doubt || l.ghosts[pid] != stat.Ticks
	}
	if f := l.sessions[stat.Session]; f != nil {
		return f
	}
	if f := l.sessions[stat.Group]; f != nil || stat.Gone() {
		return f
	}
	var id string
	var becoming bool
	id, becoming, l.buf = proc.Variable(pid, invocationName, l.buf)
	if id != "" {
		return l.ids[id]
	}
	f := l.byOutput(pid)
	if f == nil {
		// What it has put off it may have had before it became another program; or
		// it has exited meanwhile.
		stat, err := proc.ReadStat(pid)
		l.becoming = l.becoming || becoming
		l.doubt = l.doubt || becoming || err != nil || stat.Gone()
	}
	return f
}

// byOutput is for those who have put off everything else.
func (l *lineage) byOutput(pid int) *funeral {
	for number := 1; number <= 2; number++ {
		target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, number))
		if err != nil || !strings.HasPrefix(target, "pipe:") {
			continue
		}
		if l.pipes == nil {
			l.readPipes()
		}
		if f := l.pipes[target]; f != nil {
			return f
		}
	}
	return nil
}

func (l *lineage) readPipes() {
	l.pipes = make(map[string]*funeral)
	for _, f := range l.funerals {
		for _, o := range f.process.outputs {
			// It fails if nobody can write to the pipe any more.
			_ = o.onPipe(func(number int) error {
				name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", number))
				if err == nil {
					l.pipes[name] = f
				}
				return err
			})
		}
	}
}

// add makes a member of a process that is still the one that was meant, and of
// its descendants.
func (l *lineage) add(f *funeral, pid int, same func() bool) {
	if l.seen[pid] {
		return
	}
	l.seen[pid] = true
	ref, err := openPidfd(pid)
	if err != nil {
		l.doubt = true
		return
	}
	// The number may have changed hands between the two looks.
	if !same() {
		l.doubt = true
		_ = ref.close()
		return
	}
	if ref.exited() {
		// If it was alive just now, it has left its children to us since we began.
		l.doubt = l.doubt || l.dead[pid] == 0
		// Nobody else reaps an orphan.
		l.spawner.family.Lock()
		ref.bury()
		l.spawner.family.Unlock()
		_ = ref.close()
		return
	}
	l.found[f] = append(l.found[f], member{pid: pid, ref: ref})
	l.descend(f, pid)
}

func (l *lineage) descend(f *funeral, parent int) {
	for _, pid := range proc.Children(parent) {
		l.add(f, pid, func() bool {
			stat, err := proc.ReadStat(pid)
			return err == nil && stat.Parent == parent
		})
	}
}

// strays finds the descendants of a process that are in other sessions, besides
// those that are known.
func strays(ancestor int, known map[int]bool) []member {
	var members []member
	for parents := []int{ancestor}; len(parents) > 0; parents = parents[1:] {
		for _, pid := range proc.Children(parents[0]) {
			if known[pid] {
				continue
			}
			known[pid] = true
			parents = append(parents, pid)
			if sid, err := unix.Getsid(pid); err != nil || sid == ancestor {
				continue
			}
			ref, err := openPidfd(pid)
			if err != nil {
				continue
			}
			// The number may have changed hands between the two looks.
			if stat, err := proc.ReadStat(pid); err != nil || stat.Parent != parents[0] {
				_ = ref.close()
				continue
			}
			members = append(members, member{pid: pid, ref: ref})
		}
	}
	return members
}
