package program

import (
	"context"
	"slices"
	"time"

	"github.com/dserver/dserver/host/config"
)

// Apply brings the Set to a configuration. Programs that are new are started if
// they are to be (see [config.Program.Autostart]), what is gone is stopped first,
// and of the others only those are touched in which something has changed: settings
// come into force at once, a new number of instances is scaled to, and what a
// process is born with brings a new process, in the way of [config.Program.Reload].
// A program whose executable is another file now is reloaded as well. If that
// fails, the program goes back to its old definition.
//
// stopped and scale are what is remembered from before (see [Set.Wanted]); they
// count for programs that are new to the Set. The results are those of the programs
// that were touched.
//
// The programs are kept as they are given: nobody may change them afterwards.
func (s *Set) Apply(ctx context.Context, programs []config.Program, groups []config.Group, stopped map[string]bool, scale map[string]int) []Result {
	select {
	case s.applying <- struct{}{}:
	case <-ctx.Done():
		return []Result{{Err: context.Cause(ctx)}}
	}
	done := make(chan []Result, 1)
	s.options.Group.Go("configuration", func(context.Context) {
		defer func() { <-s.applying }()
		done <- s.apply(programs, groups, stopped, scale)
	})
	select {
	case results := <-done:
		return results
	case <-ctx.Done():
		return []Result{{Err: context.Cause(ctx)}}
	}
}

// task is what is to be done about one program of a changed configuration.
type task struct {
	program *program
	old     *config.Program // nil if it is new
	renew   bool
	replies chan outcome
	count   int
}

func (s *Set) apply(programs []config.Program, groups []config.Group, stopped map[string]bool, scale map[string]int) []Result {
	s.open(s.newHub)
	s.hear()
	ctx := s.options.Group.Context()
	results := s.dropAll(ctx, programs)
	now := time.Now()
	tasks := s.plan(programs, groups, stopped, scale)
	var touched []*program
	for _, t := range tasks {
		touched = append(touched, t.program)
	}
	return append(results, s.inOrder(ctx, touched, false, func(p *program) Result {
		at := slices.IndexFunc(tasks, func(t task) bool { return t.program == p })
		return s.carryOut(tasks[at], now)
	})...)
}

// dropAll stops and forgets the programs that are configured no more.
func (s *Set) dropAll(ctx context.Context, programs []config.Program) []Result {
	s.mu.Lock()
	var going []*program
	for _, p := range s.programs {
		if !slices.ContainsFunc(programs, func(def config.Program) bool { return def.Name == p.name }) {
			p.wanted, p.scaled = false, 0
			going = append(going, p)
		}
	}
	results := s.stop(ctx, going, byConfig)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range going {
		p.resize(byConfig)
		s.programs = slices.DeleteFunc(s.programs, func(q *program) bool { return q == p })
		p.changed.flash()
	}
	return results
}

// plan takes a configuration over and says what is to be done about it. All that
// takes no time has been done then.
func (s *Set) plan(programs []config.Program, groups []config.Group, stopped map[string]bool, scale map[string]int) []task {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.groups = slices.Clone(groups)
	s.serial++
	var order []*program
	var tasks []task
	for i := range programs {
		def := &programs[i]
		p := s.find(def.Name)
		var t task
		if p == nil {
			p = s.newProgram(def)
			t = p.admit(stopped, scale)
		} else {
			t = p.revise(def)
		}
		order = append(order, p)
		if t.program != nil {
			tasks = append(tasks, t)
		}
	}
	s.programs = order
	for i := range tasks {
		tasks[i].replies, tasks[i].count = tasks[i].program.resize(byConfig)
	}
	return tasks
}

// admit says what is to be done about a program that is new.
func (p *program) admit(stopped map[string]bool, scale map[string]int) task {
	p.wanted, p.wish = p.def.Autostart, p.set.serial
	if down, known := stopped[p.name]; known {
		p.wanted = !down
	}
	if n, known := scale[p.name]; known && n >= 0 && n <= MaxInstances {
		p.scaled = n
	}
	p.checkLimits()
	return task{program: p}
}

// revise says what is to be done about a program that was there before.
func (p *program) revise(def *config.Program) task {
	old := p.def
	p.def = def
	if def.Instances != old.Instances {
		p.scaled = -1
	}
	p.checkLimits()
	t := task{program: p, old: old, renew: p.wanted && (needsProcess(old, def) && def.Reload != config.ReloadNone || p.outdated())}
	if t.renew {
		return t
	}
	if !same(old, def) {
		p.tell(settings{def: def})
		return t
	}
	return task{}
}

// checkLimits warns of those that cannot be kept here.
func (p *program) checkLimits() {
	for _, lack := range p.set.options.Cgroups.Lacks(CgroupLimits(&p.def.Process)) {
		p.warn(nil, lack)
	}
}

// outdated tells whether an instance runs another executable than there is now.
func (p *program) outdated() bool {
	if p.def.Reload == config.ReloadNone {
		return false
	}
	now, err := identify(p.def.Command[0])
	if err != nil {
		return false // nothing new to run
	}
	return slices.ContainsFunc(p.units, func(u *unit) bool {
		i := u.seen.Load()
		return i.State.alive() && i.Pid != 0 && (i.exe != now || i.def != p.def && needsProcess(i.def, p.def))
	})
}

// carryOut does what is to be done about one program.
func (s *Set) carryOut(t task, now time.Time) Result {
	p := t.program
	if !t.renew {
		return p.gather(t.replies, t.count)
	}
	s.mu.Lock()
	def := p.def
	s.mu.Unlock()
	if sig, ok := def.Reload.Signal(); ok && !needsProcess(t.old, def) {
		return p.send(sig)
	}
	result := rollout{program: p, how: wayOf(def), def: def, before: now, by: byReload}.run(t.old)
	if result.Err != nil {
		s.mu.Lock()
		if p.def == def {
			p.def = t.old
		}
		s.mu.Unlock()
	}
	return result
}

// Wanted tells what is to be remembered over a restart of the master: which
// programs were started or stopped by somebody against what is configured, and how
// many instances were asked for. It is what [Set.Apply] takes.
func (s *Set) Wanted() (stopped map[string]bool, scale map[string]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stopped, scale = make(map[string]bool), make(map[string]int)
	for _, p := range s.programs {
		if p.wanted != p.def.Autostart {
			stopped[p.name] = !p.wanted
		}
		if p.scaled >= 0 {
			scale[p.name] = p.scaled
		}
	}
	return stopped, scale
}
