package program

import (
	"context"
	"errors"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/supervise"
)

// child is a process as an instance sees it; *supervise.Process is one.
type child interface {
	Pid() int
	Invocation() string
	Identity() supervise.Record
	Record() (supervise.Record, supervise.Pipes)
	Done() <-chan struct{}
	Exit() supervise.Exit
	Tail() []string
	Started() time.Time
	Main() int
	Follow(pid int) error
	Signal(syscall.Signal) error
	Stop(context.Context, supervise.Ladder) (supervise.StopReport, error)
}

// surroundings is what an instance needs of what is around it. Those that may take
// time say so: they are called by errands. All others return at once.
type surroundings interface {
	// spawn takes its time: it waits for what the run needs, runs what comes before,
	// and starts the process. blocked is called when what the run needs cannot come
	// by itself, and once more with an empty text when it can.
	spawn(ctx context.Context, r *run, blocked func(why string)) (child, error)
	// missing tells what of these cannot come by itself; empty if that is nothing.
	missing(needs []config.Need) string
	// ladder gives the steps by which a run is stopped.
	ladder(r *run, def *config.Program) supervise.Ladder
	// watch begins to look whether a run that has a process is ready.
	watch(r *run)
	// attend begins to look whether one that is ready stays well, until ctx ends.
	attend(ctx context.Context, r *run, def *config.Program)
	// recycle asks for a new process in place of one that is well.
	recycle(u *unit, why string)
	// nurse asks for what is to be done about a run that is not well.
	nurse(u *unit, by, why string, action config.Reload)
	// afterwards takes its time: it runs what follows the end of a process.
	afterwards(r *run, def *config.Program)
	// givenUp takes its time: it tells those whom it concerns.
	givenUp(r *run, def *config.Program, cause string, output []string)
	// vacate tells whether a unit that was to leave, and of which nothing runs, leaves.
	vacate(u *unit) bool
	// over tells that an instance has ended for good.
	over(exit supervise.Exit)
	moved(u *unit, m Moved)
	// news tells those who wait for it that something else has changed.
	news()
	publish(Event)
	// errand runs f in a goroutine that somebody waits for.
	errand(name string, f func())
	// context is that of all runs.
	context() context.Context
	limits() Limits
	jitter() float64 // of the back-off; 0 is the default
}

// unit keeps one instance. What is below the line is its goroutine's alone.
type unit struct {
	name     string // of the program
	instance int
	around   surroundings
	box      *mailbox
	dropped  bool                     // it is to leave; guarded by the set's mutex
	seen     atomic.Pointer[Instance] // what everybody may know of it
	left     chan struct{}            // closed when it keeps nothing any more
	// ------------------------------------------------------------------------
	def      *config.Program // for the next start
	state    State
	since    time.Time
	reason   string
	by       string
	says     string
	wanted   bool
	wish     uint64 // number of the command that said so
	removed  bool   // it leaves once nothing of it runs
	renewing string // who asked for the next run when this one is over; empty if nobody did
	run      *run   // what it keeps; nil without a process or a start under way
	next     *run   // what is to take over from run
	leaving  []*run // what was replaced or given up and is not gone yet
	homes    [maxPlaces]home
	last     concluded // an end of which it is not decided yet what follows
	number   int       // generations begun
	policy   policy
	caring   bool               // something is being done about a run that is not well, or too old
	unattend context.CancelFunc // ends what looks after the run that serves; nil if nothing does
	restarts int
	history  []Run
	output   []string
	waiters  []waiter
	alarms   alarms
	dirty    bool // seen is not what it should be
}

func newUnit(name string, instance int, def *config.Program, around surroundings) *unit {
	u := &unit{
		name: name, instance: instance, def: def, around: around, box: newMailbox(), left: make(chan struct{}),
		state: Stopped, since: time.Now(), policy: newPolicy(def.Keep, around.jitter()),
	}
	u.show()
	return u
}

// loop is the unit's goroutine. It ends when the unit was removed and nothing of it
// runs, or when ctx ends: processes live on then.
func (u *unit) loop(ctx context.Context) {
	defer u.leave()
	for {
		select {
		case <-u.box.bell:
			for _, m := range u.box.take() {
				if ctx.Err() != nil {
					refuse(m)
					continue
				}
				m.apply(u)
			}
		case <-u.run.done():
			u.ended(u.run)
		case <-u.next.done():
			u.ended(u.next)
		case now := <-u.alarms.c():
			u.lookForEnds()
			u.ring(now)
		case <-ctx.Done():
			return
		}
		if ctx.Err() != nil {
			return
		}
		u.lookForEnds()
		u.answer()
		u.show()
		if u.removed && u.empty() {
			if u.around.vacate(u) {
				return
			}
			u.removed = false
		}
	}
}

// lookForEnds comes before what a time has come for and before answers: nobody takes over, is
// late, or is called a success, who has ended before that but is seen only now.
func (u *unit) lookForEnds() {
	select {
	case <-u.run.done():
		u.ended(u.run)
	default:
	}
	select { // a successor that has gone on in its place is looked at the next time
	case <-u.next.done():
		u.ended(u.next)
	default:
	}
}

func (u *unit) leave() {
	if u.alarms.timer != nil {
		u.alarms.timer.Stop()
	}
	for _, r := range []*run{u.run, u.next} {
		if r != nil {
			r.cancel(errLeft)
		}
	}
	for _, w := range u.waiters {
		w.reply <- outcome{state: u.state, err: errLeft}
	}
	for _, m := range u.box.close() {
		refuse(m)
	}
	if u.empty() {
		u.vacateHomes()
	}
	close(u.left)
}

// tell gives the unit's goroutine a message. One that wants an answer gets it even
// if the unit has left.
func (u *unit) tell(m message) {
	if !u.box.put(m) {
		refuse(m)
	}
}

func refuse(m message) {
	if a, ok := m.(interface{ refuse(error) }); ok {
		a.refuse(errLeft)
	}
}

// errLeft is what is answered in place of an instance that is kept no longer.
var errLeft = errors.New("the instance is not kept any more")

func (u *unit) empty() bool { return u.run == nil && u.next == nil && len(u.leaving) == 0 }

// move takes the unit to the state that follows.
func (u *unit) move(on occurrence, by, reason string) {
	from := u.state
	to, err := from.to(on)
	if err != nil {
		u.around.publish(Warned{Place: u.place(u.run), Text: err.Error()})
		return
	}
	u.state, u.reason, u.by, u.since, u.dirty = to, reason, by, time.Now(), true
	u.show()
	u.around.moved(u, Moved{
		Place: u.place(u.run), From: from, To: to, Reason: reason, By: by, Next: u.alarms.at[backoffOver],
	})
}

func (u *unit) place(r *run) Place {
	p := Place{Program: u.name, Instance: u.instance, Generation: u.number}
	if r != nil {
		p.Generation, p.Pid = r.number, r.pid
	}
	return p
}

// show lets everybody know what has changed.
func (u *unit) show() {
	if !u.dirty && u.seen.Load() != nil {
		return
	}
	u.dirty = false
	i := Instance{
		Instance: u.instance, Generation: u.number, State: u.state, Since: u.since, Restarts: u.restarts,
		Next: u.alarms.at[backoffOver], Reason: u.reason, By: u.by, Says: u.says, Output: u.output, History: u.history,
		serial: u.wish, last: u.number, wanted: u.wanted, renewing: u.renewing, counts: u.policy.count.Counts(), runs: u.glimpses(),
	}
	if u.run != nil {
		i.Generation, i.Pid = u.run.number, u.run.pid
		if u.run.child != nil {
			i.exe = u.run.exe
		}
		i.blocked = u.run.blocked
		i.def = u.run.def
	}
	u.seen.Store(&i)
}
