package cli_test

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/dserver/dserver/ctl"
)

// withPrograms gives an instance programs in all states that people meet.
func (m *master) withPrograms() {
	m.mu.Lock()
	defer m.mu.Unlock()
	place := func(n int, state string, pid int, reason, by string) ctl.ProgramInstance {
		return ctl.ProgramInstance{Instance: n, Generation: 1, State: state, Pid: pid, Since: m.born, Reason: reason, By: by}
	}
	jobs := place(1, "backoff", 0, "exit status 3", "policy")
	jobs.Restarts, jobs.Generation, jobs.Next = 4, 5, m.born.Add(4*time.Hour+14*time.Minute)
	mail := place(1, "fatal", 0, "10 starts within 1m0s; exit status 1", "policy")
	mail.Restarts, mail.Generation = 9, 10
	mail.Output = []string{"\x1b[31mno route to mail.example.com\x1b[0m", "giving up\r\x07"}
	mail.History = []ctl.Run{
		{Generation: 9, Pid: 309, Started: m.born.Add(-90 * time.Second), Ended: m.born.Add(-30 * time.Second), Code: 1, Cause: "exit status 1"},
		{Generation: 10, Pid: 310, Started: m.born.Add(-2 * time.Second), Ended: m.born, Code: -1, Signal: "killed", Cause: "signal: killed (out of memory)", Swept: 2},
	}
	m.programs = []ctl.Program{
		{Name: "nginx", State: "ready", Wanted: true, Command: []string{"/usr/sbin/nginx", "-g", "daemon off;"}, Listen: []string{"tcp://0.0.0.0:80"},
			Instances: []ctl.ProgramInstance{place(1, "ready", 201, "", "start"), place(2, "ready", 202, "", "scale")}},
		{Name: "jobs", State: "backoff", Wanted: true, Group: "back", Command: []string{"/opt/jobs"}, Instances: []ctl.ProgramInstance{jobs}},
		{Name: "mail-relay", State: "fatal", Wanted: true, Command: []string{"/opt/mail"}, Instances: []ctl.ProgramInstance{mail}},
		{Name: "cache", State: "stopped", Command: []string{"redis-server"}, Instances: []ctl.ProgramInstance{place(1, "stopped", 0, "", "stop")}},
		{Name: "migrate", State: "exited", Wanted: true, Command: []string{"/opt/migrate"}, Instances: []ctl.ProgramInstance{place(1, "exited", 0, "exit status 0", "")}},
	}
}

func (m *master) Programs(_ context.Context, d ctl.Detail) []ctl.Program {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := slices.Clone(m.programs)
	for i := range list {
		places := slices.Clone(list[i].Instances)
		for j := range places {
			if !d.History {
				places[j].History = nil
			}
			if d.Usage && places[j].Pid != 0 {
				places[j].Usage = &ctl.Usage{RSS: uint64(places[j].Pid) << 16, CPU: 0.5, Files: 12, Threads: 3}
			}
		}
		list[i].Instances = places
	}
	return list
}

// program finds one; the lock is held.
func (m *master) program(name string) (*ctl.Program, error) {
	i := slices.IndexFunc(m.programs, func(p ctl.Program) bool { return p.Name == name })
	if i < 0 {
		return nil, ctl.Problemf(ctl.ErrNotFound, "there is no program %q", name)
	}
	return &m.programs[i], nil
}

// move brings a program into a state.
func (m *master) move(p *ctl.Program, state string) {
	p.State = state
	for i, in := range p.Instances {
		p.Instances[i] = ctl.ProgramInstance{Instance: i + 1, Generation: in.Generation, State: state, Since: m.born, By: "command"}
		if state == "ready" {
			p.Instances[i].Pid = 400 + i
		}
	}
}

func (m *master) Signal(_ context.Context, r ctl.SignalRequest) (res ctl.ActionResult, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range r.Names {
		p, err := m.program(name)
		if err != nil {
			return ctl.ActionResult{}, err
		}
		a := ctl.Action{Name: name, State: p.State}
		if p.State != "ready" {
			a.Error = "it has no process that runs"
		}
		m.sent = append(m.sent, name+" "+r.Signal)
		res.Results = append(res.Results, a)
	}
	return res, nil
}

func (m *master) Scale(_ context.Context, r ctl.ScaleRequest) (ctl.ActionResult, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.Name == "calc" { // a worker
		return ctl.ActionResult{}, ctl.Problemf(ctl.ErrRefused, "cannot scale worker calc: it is in single mode")
	}
	p, err := m.program(r.Name)
	if err != nil {
		return ctl.ActionResult{}, err
	}
	p.Instances = make([]ctl.ProgramInstance, r.Instances)
	m.move(p, "ready")
	return ctl.ActionResult{Results: []ctl.Action{{Name: r.Name, State: p.State}}}, nil
}

func (m *master) Reset(_ context.Context, r ctl.ActionRequest) (ctl.ActionResult, error) {
	return m.to(r, "ready")
}

func (m *master) Upgrade(ctx context.Context, r ctl.UpgradeRequest) (ctl.UpgradeResult, error) {
	m.mu.Lock()
	m.upgrades = append(m.upgrades, r)
	outcome := m.outcome
	m.mu.Unlock()
	res := ctl.UpgradeResult{ID: max(r.ID, r.Resume), Outcome: outcome, Build: ctl.Build{ID: "fedcba9876543210"}, Pid: 100, Gap: 7400 * time.Microsecond}
	switch outcome {
	case "rolled_back":
		res.Error, res.Output = "the new build ended with exit status 2", []string{"panic: no state"}
	case "refused":
		return ctl.UpgradeResult{}, ctl.Problemf(ctl.ErrRefused, "this master cannot be upgraded in place yet")
	case "forgotten":
		if r.Resume > 0 {
			return res, ctl.Problemf(ctl.ErrNotFound, "there was no upgrade %s", strconv.Itoa(r.Resume))
		}
		res.Outcome = ctl.OutcomeMoved
	case "slow":
		<-ctx.Done()
		return res, ctx.Err()
	}
	return res, nil
}
