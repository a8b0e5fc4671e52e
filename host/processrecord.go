package host

import (
	"github.com/dserver/dserver/host/supervise"
)

// findProcess finds a worker of a former master that was killed. What it wrote
// and nobody read is in its pipes still.
func (p *processRunner) findProcess(r workerRecord) (*found, error) {
	return p.takeProcess(r, supervise.Pipes{})
}

func (p *processRunner) takeProcess(r workerRecord, pipes supervise.Pipes) (*found, error) {
	stdout, stderr := p.logs.output(r.Worker)
	a := supervise.Adoption{Stdout: stdout, Stderr: stderr}
	if name := r.Process.Group; name != "" {
		var err error
		if a.Group, err = p.groups.Open(name); err != nil {
			p.log.Warn("a worker goes on without its control group", "worker", r.Worker, "error", err)
		}
	}
	process, err := p.spawner.Adopt(r.Process, pipes, a)
	if err != nil {
		return nil, err
	}
	return &found{workerRecord: r, process: process, group: a.Group, came: make(chan visitor, 1)}, nil
}

// recordWorkers describes the workers to the next image of this process, which
// keeps their pipes. Nothing is born and nothing is buried meanwhile.
func (m *master) recordWorkers(kept *cargo) []workerRecord {
	return m.fleet.records(func(process *supervise.Process) supervise.Record {
		r, pipes := process.Record()
		kept.addPipes(process.Pid(), pipes)
		return r
	})
}

func (c *cargo) addPipes(pid int, pipes supervise.Pipes) {
	if pipes.Stdout != nil {
		c.add(pipeName(pid, "stdout"), pipes.Stdout)
	}
	if pipes.Stderr != nil {
		c.add(pipeName(pid, "stderr"), pipes.Stderr)
	}
}

// adoptProcess goes on with a worker process of the image before this one.
func (h *reborn) adoptProcess(p *processRunner) func(workerRecord) (*found, error) {
	return func(r workerRecord) (*found, error) {
		return p.takeProcess(r, supervise.Pipes{
			Stdout: h.files[pipeName(r.Pid, "stdout")],
			Stderr: h.files[pipeName(r.Pid, "stderr")],
		})
	}
}
