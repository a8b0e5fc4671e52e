package host

import (
	"github.com/dserver/dserver/host/supervise"
)

// findProcess finds a worker of a former master that was killed. What it wrote
// and nobody read is in its pipes still.
func (p *processRunner) findProcess(r workerRecord) (*supervise.Process, error) {
	return p.takeProcess(r, supervise.Pipes{})
}

func (p *processRunner) takeProcess(r workerRecord, pipes supervise.Pipes) (*supervise.Process, error) {
	stdout, stderr := p.logs.outputFrom(r.Worker, r.Process.Stdout.Rest, r.Process.Stderr.Rest)
	return p.spawner.Adopt(r.Process, pipes, supervise.Adoption{Stdout: stdout, Stderr: stderr})
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
func (h *reborn) adoptProcess(p *processRunner) func(workerRecord) (*supervise.Process, error) {
	return func(r workerRecord) (*supervise.Process, error) {
		return p.takeProcess(r, supervise.Pipes{
			Stdout: h.files[pipeName(r.Pid, "stdout")],
			Stderr: h.files[pipeName(r.Pid, "stderr")],
		})
	}
}
