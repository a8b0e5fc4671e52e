package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/probe"
	"github.com/dserver/dserver/host/supervise"
)

// Restore goes on with the programs of another Set: of one in the program that ran
// in this process before, or in a master that is no more. The Set must be empty.
// It stands still until [Set.Thaw], so that nothing has been done if the other one
// is to go on after all. After that [Set.Apply] brings in what is configured now.
//
// file gives what was kept with exact Records by name, nil for what was not; the
// files stay open. What cannot be taken up is told by [Warned], and treated as a
// process that has ended; the error is for records that cannot be read.
func (s *Set) Restore(r Records, file func(name string) *os.File) error {
	if file == nil {
		file = func(string) *os.File { return nil }
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open(func() (*probe.Hub, error) {
		if f := file(keptHub); f != nil {
			if hub, err := probe.AdoptHub(f, s.options.NotifySocket); err == nil {
				return hub, nil
			}
		}
		return s.newHub()
	})
	if len(s.programs) > 0 {
		return errors.New("cannot restore programs: there are some already")
	}
	var programs []*program
	for _, pr := range r.Programs {
		def, err := definitionOf(pr.Definition)
		if err != nil {
			return fmt.Errorf("cannot restore programs: %w", err)
		}
		p := s.newProgram(def)
		p.wanted, p.scaled = pr.Wanted, pr.Scaled
		programs = append(programs, p)
	}
	s.programs, s.groups, s.closed = programs, r.Groups, r.Closed
	s.frozen = make(chan struct{})
	s.births.hold()
	for i, p := range programs {
		for _, ir := range r.Programs[i].Instances {
			p.restore(ir, restoring{exact: r.Exact, file: file, thaw: s.frozen})
		}
	}
	return nil
}

func definitionOf(text json.RawMessage) (*config.Program, error) {
	var def *config.Program
	if err := json.Unmarshal(text, &def); err != nil {
		return nil, err
	}
	if def == nil || def.Name == "" || len(def.Command) == 0 {
		return nil, errors.New("a definition is empty")
	}
	return def, nil
}

// restoring is what all instances that are restored have in common.
type restoring struct {
	exact bool
	file  func(name string) *os.File
	thaw  <-chan struct{}
}

// restore makes an instance as it was. The mutex must be held.
func (p *program) restore(r InstanceRecord, with restoring) {
	u := newUnit(p.name, r.Instance, p.def, p)
	u.state, u.since, u.reason, u.by, u.says = r.State, r.Since, r.Reason, r.By, r.Says
	u.wanted, u.renewing, u.restarts, u.number = r.Wanted, r.Renewing, r.Restarts, r.Generation
	u.output, u.history = r.Output, r.History
	u.policy.count.Resume(r.Counts)
	if u.dropped = r.Instance > p.instances(); u.dropped {
		u.removed = true
	}
	for _, rr := range r.Runs {
		run, err := p.takeUp(u, rr, with)
		if err != nil {
			p.publish(Warned{Place: Place{Program: p.name, Instance: r.Instance, Generation: rr.Generation, Pid: rr.Process.Pid}, Text: err.Error()})
			continue
		}
		u.homes[run.place] = run.home
		switch rr.Role {
		case serving:
			u.run = run
		default:
			u.leaving = append(u.leaving, run)
		}
	}
	u.dirty = true
	u.show()
	p.units = append(p.units, u)
	p.set.options.Group.Go("keeper of "+u.name, func(ctx context.Context) {
		select {
		case <-with.thaw:
			u.resume(r, with.exact)
			u.loop(ctx)
		case <-ctx.Done():
			u.leave()
		}
	})
}

// takeUp goes on with one process.
func (p *program) takeUp(u *unit, rr RunRecord, with restoring) (*run, error) {
	def := p.def
	if rr.Definition != nil {
		var err error
		if def, err = definitionOf(rr.Definition); err != nil {
			return nil, err
		}
	}
	if rr.Place < 0 || rr.Place >= maxPlaces {
		return nil, fmt.Errorf("there is no home %d", rr.Place)
	}
	r := &run{
		unit: u, number: rr.Generation, def: def, place: rr.Place, kills: rr.Kills, began: rr.Process.Started,
		ready: rr.Ready, endedBy: rr.EndedBy, why: rr.Why, pid: rr.Process.Pid,
	}
	if rr.Executable != nil {
		r.exe = *rr.Executable
	}
	if rr.Process.Main != nil {
		r.pid = rr.Process.Main.Pid
	}
	r.ctx, r.cancel = context.WithCancelCause(p.context())
	var err error
	if rr.Process.Group != "" {
		if r.home.group, err = p.set.options.Cgroups.Open(rr.Process.Group); err != nil {
			p.warn(r, err.Error())
		}
		r.home.limits = CgroupLimits(&def.Process)
	}
	name := r.String()
	if f := with.file(name + " newline"); f != nil {
		if r.newline, err = pollable(f); err != nil {
			return nil, err
		}
	}
	a := supervise.Adoption{Group: r.home.group}
	a.Stdout, a.Stderr = p.set.options.Sinks(def, u.instance, r.number)
	if def.Ready.Kind == config.ProbeLog && !r.ready {
		if r.lines, err = linesOf(def); err != nil {
			return nil, err
		}
		a.Stdout, a.Stderr = r.lines.Tee(a.Stdout), r.lines.Tee(a.Stderr)
	}
	heard := p.listen(r)
	if heard != nil {
		a.Expiring = heard.expiring
	}
	pipes := supervise.Pipes{Stdout: with.file(name + " stdout"), Stderr: with.file(name + " stderr")}
	if f := with.file(name + " process"); f != nil {
		pipes.Process = f
	}
	r.child, err = p.set.adopt(rr.Process, pipes, a)
	heard.begin(r.child)
	if err != nil {
		r.cancel(errEnded)
		return nil, err
	}
	return r, nil
}

// resume takes up what was under way. It is the first thing that the unit's
// goroutine does.
func (u *unit) resume(r InstanceRecord, exact bool) {
	for _, l := range u.leaving {
		by := l.endedBy
		if by == "" {
			by = byRollBack // it was to replace what serves: that is to be tried again by who wants it
		}
		l.endedBy = by
		u.escort(l, true)
	}
	switch {
	case u.state == Backoff:
		u.alarms.set(backoffOver, r.Next)
	case !u.state.alive():
	case u.run == nil:
		u.resumeWithout()
	case u.state == Stopping:
		u.stop(u.run, u.by, true)
	case u.state == Starting:
		u.resumeStart(exact)
	default:
		u.attend()
	}
	u.dirty = true
	u.show()
}

// resumeWithout is about an instance that had no process just then: it waited for
// what it needs, or was about to be started, or what follows its end was under way.
func (u *unit) resumeWithout() {
	if !u.wanted {
		if u.state == Starting {
			u.move(ending, u.by, "")
		}
		u.last = concluded{run: &run{unit: u, number: u.number, def: u.def, endedBy: u.by}}
		u.settle()
		return
	}
	u.renewing = ""
	u.begin(again, u.by, u.reason)
}

// resumeStart is about a process that was not ready. Who cannot be asked once more
// whether it is, and may have said so when nobody listened, is taken to be.
func (u *unit) resumeStart(exact bool) {
	if !exact && saysOnce(u.run.def.Ready.Kind) || u.run.ready {
		u.run.ready = false
		isReady{run: u.run}.apply(u)
		u.around.watch(u.run)
		return
	}
	u.alarms.set(startOver, time.Now().Add(u.startTimeout(u.run)))
	u.around.watch(u.run)
}

// saysOnce tells whether a process says by itself, and once, that it is ready.
func saysOnce(k config.ProbeKind) bool {
	switch k {
	case config.ProbeNotify, config.ProbeNewline, config.ProbeLog, config.ProbeStarted, "":
		return true
	}
	return false
}
