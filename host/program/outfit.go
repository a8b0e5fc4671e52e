package program

import (
	"github.com/dserver/dserver/host/cgroup"
	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/supervise"
)

// Outfit is the part of a Spec that p tells: who a process is, what it is allowed
// and what it sees. environ is what it may inherit; files that the environment
// comes from are read anew.
func Outfit(p *config.Process, environ []string) (supervise.Spec, error) {
	env, err := p.Environ(environ)
	if err != nil {
		return supervise.Spec{}, err
	}
	spec := supervise.Spec{Env: env, Dir: p.Dir, NoNewPrivs: p.NoNewPrivs}
	if id := p.Identity; id != nil {
		spec.User = &supervise.User{UID: id.UID, GID: id.GID, Groups: id.Groups}
	}
	if p.Umask >= 0 {
		spec.Umask = &p.Umask
	}
	if p.Nice != 0 {
		spec.Nice = &p.Nice
	}
	if p.OOMScoreAdj != 0 {
		spec.OOMScoreAdj = &p.OOMScoreAdj
	}
	for _, l := range p.Rlimits {
		spec.Rlimits = append(spec.Rlimits, supervise.Rlimit{Resource: l.Resource, Soft: l.Soft, Hard: l.Hard})
	}
	return spec, nil
}

// CgroupLimits are those of p that a control group keeps.
func CgroupLimits(p *config.Process) cgroup.Limits {
	return cgroup.Limits{Memory: p.Memory, MemoryHigh: p.MemoryHigh, CPU: p.CPU, Pids: p.Pids}
}

// RestartsOf gives what decides by k after which ends a process is started again;
// it has counted nothing yet.
func RestartsOf(k config.Keep) supervise.Restarts {
	var r supervise.Restarts
	settle(&r, k)
	return r
}

// settle changes the settings of r to those of k; what was counted stays.
func settle(r *supervise.Restarts, k config.Keep) {
	r.Policy, r.Expected = supervise.Policy(k.Restart), k.ExitCodes
	r.Backoff.Min, r.Backoff.Max, r.Backoff.Stable = k.BackoffMin, k.BackoffMax, k.Stable
	r.Limit, r.Window = k.StartLimit, k.StartWindow
}
