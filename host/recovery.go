package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/cgroup"
	"github.com/dserver/dserver/host/supervise"
)

// comingLimit is how long the workers of a former master have to come to the
// reception. They look for one every seekInterval.
const comingLimit = 3 * time.Second

// found is a worker of a former master: its record, its process, and, if it came
// in time, its sessions.
type found struct {
	workerRecord
	process *supervise.Process
	group   *cgroup.Group
	came    chan visitor // capacity 1
	conn    *net.UnixConn
	control net.Conn
}

// findWorkers finds the processes of the former master's workers.
func (m *master) findWorkers(records []workerRecord, adopt func(workerRecord) (*found, error)) error {
	for _, r := range records {
		f, err := adopt(r)
		if err != nil {
			return err
		}
		m.found = append(m.found, f)
	}
	return nil
}

// invocations are those of the processes that were found.
func invocations(all []*found) map[string]bool {
	known := make(map[string]bool)
	for _, f := range all {
		known[f.process.Invocation()] = true
	}
	return known
}

// awaitWorkers opens the reception and waits for the workers that were found. It
// takes the sockets back that they hold and this master does not.
func (m *master) awaitWorkers(ctx context.Context, keys []socketKey) {
	for _, f := range m.found {
		m.doors.expect(f.Assignment.Home.Token, f.arrive)
	}
	m.doors.open()
	ctx, cancel := context.WithTimeout(ctx, comingLimit)
	defer cancel()
	for _, f := range m.found {
		if f.State != Starting.String() { // else it was not ordered to serve: it ends by itself
			m.awaitFound(ctx, f, keys)
		}
	}
}

// awaitFound waits for one worker to come, or to end.
func (m *master) awaitFound(ctx context.Context, f *found, keys []socketKey) {
	for f.control == nil {
		select {
		case v := <-f.came:
			if err := m.admit(f, v, keys); err != nil {
				m.log.Warn("cannot go on with a worker of the former master", "worker", f.Worker, "pid", f.Pid, "error", err)
			}
		case <-f.process.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

// arrive notes that the worker is at the reception. If it has been there before, it
// has given up on that.
func (f *found) arrive(v visitor) {
	for {
		select {
		case f.came <- v:
			return
		case former := <-f.came:
			_ = former.conn.Close()
		}
	}
}

// admit takes the sockets that a worker holds and this master does not, and makes
// the control session's ends.
func (m *master) admit(f *found, v visitor, keys []socketKey) error {
	missing := make(map[string]socketKey)
	for _, k := range keys {
		missing[k.label()] = k
	}
	for _, h := range m.sockets.list() {
		delete(missing, h.label())
	}
	var wanted []string
	for _, label := range v.offer.Sockets {
		if _, ok := missing[label]; ok {
			wanted = append(wanted, label)
		}
	}
	control, files, err := v.admit(wanted)
	for label, file := range files {
		err = errors.Join(err, m.sockets.adopt(missing[label], file))
	}
	if err != nil {
		return errors.Join(err, v.conn.Close())
	}
	f.conn, f.control = v.conn, control
	return nil
}

// adoptWorkers makes the found workers generations of this master's fleet. Those
// that are of no use are ended, for new ones to take their place.
func (m *master) adoptWorkers(ctx context.Context) {
	for _, f := range m.found {
		m.fleet.seen(f.Worker, f.Instance, f.Generation)
	}
	for _, f := range m.found {
		if err := m.adoptWorker(ctx, f); err != nil {
			m.log.Warn("a worker of the former master ends", "worker", f.Worker, "pid", f.Pid, "error", err)
			m.endFound(f)
		}
	}
	m.found = nil
}

// endFound makes sure that a worker is gone which cannot be gone on with.
func (m *master) endFound(f *found) {
	m.doors.forget(f.Assignment.Home.Token)
	_, _ = f.process.Stop(context.Background(), killLadder()) // what cannot be killed is logged by its end
}

func (m *master) adoptWorker(ctx context.Context, f *found) error {
	if f.control == nil {
		return errors.New("it did not come in time")
	}
	w := workload{Worker: f.Worker, Instance: f.Instance, Assignment: f.Assignment}
	w.Assignment.Config = m.currentPlan().content
	w.Settings, _ = m.currentPlan().config.Worker(f.Worker)
	var err error
	if w.Build, err = m.buildOf(f); err != nil {
		return err
	}
	s := m.fleet.slot(f.Worker, f.Instance)
	g := s.again(w, f.Generation)
	g.sandboxes = f.Sandboxes
	i, p, err := m.workers.adopt(ctx, w, g.observe, f)
	if err != nil {
		return err
	}
	if !p.Open {
		return errors.New("it did not serve")
	}
	g.goOn(i, f.Started)
	m.fleet.group.Go("watch "+g.place().String(), func(context.Context) { g.watch() })
	if p.Draining || f.State == Draining.String() {
		if f.Drained.IsZero() { // it drains because nobody came
			f.Drained = time.Now().Add(m.limits().Drain)
		}
		m.fleet.retireUntil(s, g, f.Drained)
		return nil
	}
	m.fleet.install(s, g)
	s.remember(f.Restarts, f.Lost)
	m.events.publish(WorkerAdopted{Place: g.place()})
	return nil
}

// buildOf opens the executable that a process runs: the very code, whatever has
// become of its path.
func (m *master) buildOf(f *found) (*build, error) {
	b, err := openBuild(fmt.Sprintf("/proc/%d/exe", f.process.Pid()))
	if err != nil {
		return nil, err
	}
	b.path = f.Binary
	for _, have := range m.builds {
		if sameFile(have.file, b.file) {
			b.close()
			return have, nil
		}
	}
	m.builds = append(m.builds, b)
	return b, nil
}

func sameFile(a, b *os.File) bool {
	one, err := a.Stat()
	other, err2 := b.Stat()
	return err == nil && err2 == nil && os.SameFile(one, other)
}

// renewAdopted reloads workers that run another build, or another configuration,
// than this start asks for. They serve until the new ones do.
func (m *master) renewAdopted(former *stateRecord) {
	p := m.currentPlan()
	if former.Build == p.build.id() && former.Config == p.hash() {
		return
	}
	m.log.Info("the former master ran another build or configuration: reloading")
	if _, err := m.reloads.submit(ctl.ReloadRequest{}); err != nil {
		m.log.Warn("cannot reload", "error", err)
	}
}
