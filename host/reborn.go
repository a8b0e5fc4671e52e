package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/cli"
	"github.com/dserver/dserver/host/reexec"
	"github.com/dserver/dserver/internal/inherit"
)

// reborn is a master that goes on where the image before it left off: the same
// process, other code.
type reborn struct {
	taken *reexec.Taken
	left  bequest
	files map[string]*os.File // kept, by name; they belong to taken

	accepted bool
	gap      time.Duration // in which nobody looked after the processes
}

// newReborn puts a master together from what the image before this one left.
func newReborn(ctx context.Context, a *App, t *reexec.Taken, stdout, stderr io.Writer) (*master, error) {
	h := &reborn{taken: t, files: make(map[string]*os.File)}
	if err := json.Unmarshal(t.State(), &h.left); err != nil {
		return nil, fmt.Errorf("cannot understand what the former build left: %w", err)
	}
	if h.left.Version != handoverVersion {
		return nil, fmt.Errorf("cannot go on with version %d of a master's state", h.left.Version)
	}
	for i, file := range t.Files() {
		h.files[h.left.Files[i]] = file
	}
	given := h.left.Succession
	d, err := decodeDocument(given.Plan)
	if err != nil {
		return nil, err
	}
	o := cli.StartOptions{Global: given.Global, Mode: given.Mode, Demo: h.left.Demo, Out: stdout, Err: stderr}
	apps := d.Apps
	d.Apps = nil // their executables are kept
	m, err := newMaster(ctx, a, o, loaded{document: d, dir: given.Dir}, nil, nil)
	if err != nil {
		return nil, err
	}
	m.plan.apps = apps
	m.reborn = h
	m.started, m.notify, m.watchdog, m.private, m.path = given.Started, given.Notify, given.Watchdog, given.Environ, h.left.Path
	m.logs.background = given.Background
	maps.Copy(m.plan.stopped, h.left.Stopped)
	maps.Copy(m.plan.levels, h.left.Levels)
	m.counts, m.commits = h.left.Baton.Reloads, h.left.Baton.Commits
	m.events.goOn(h.left.Baton.Events)
	return m, h.takeBuilds(m)
}

// file gives a copy of a kept file.
func (h *reborn) file(name string) (*os.File, error) {
	kept := h.files[name]
	if kept == nil {
		return nil, fmt.Errorf("the former build did not keep %s", name)
	}
	return inherit.Dup(kept, name)
}

// takeBuilds makes the plan's builds those that were kept: that of this image is
// only the master's.
func (h *reborn) takeBuilds(m *master) error {
	b, err := h.build(keptBuild, h.left.Binary)
	if err != nil {
		return err
	}
	if sameFile(b.file, m.own.file) {
		b.close()
		b = m.own
	} else {
		m.builds = append(m.builds, b)
	}
	m.plan.build, m.plan.builds = b, make(map[string]*build)
	for name, app := range m.plan.apps {
		if m.plan.builds[name], err = h.build(appBuild(name), app.Path); err != nil {
			return err
		}
		m.builds = append(m.builds, m.plan.builds[name])
	}
	return nil
}

func (h *reborn) build(kept, path string) (*build, error) {
	file := h.files[kept]
	if file == nil {
		return nil, fmt.Errorf("the former build did not keep %s", kept)
	}
	number, err := inherit.Number(file)
	if err != nil {
		return nil, err
	}
	b, err := openBuild(fmt.Sprintf("/proc/self/fd/%d", number))
	if err == nil {
		b.path = path
	}
	return b, err
}

// takeUp takes from the image before this one what a first master acquires. Until
// all is there nothing has been touched, and the way back is open.
func (m *master) takeUp(ctx context.Context) error {
	h := m.reborn
	lock, err := h.file(keptLock)
	if err != nil {
		return err
	}
	if m.lock, err = m.dir.Adopt(lock); err != nil {
		return err
	}
	if err := m.logs.open(m.dir); err != nil {
		return err
	}
	m.recall(false)
	if m.programs, err = m.newPrograms(); err != nil {
		return err
	}
	ln, err := h.listener(keptCtl)
	if err != nil {
		return err
	}
	m.control = newControlSocket(ln, m, m.log)
	if ln, err = h.listener(keptDoors); err != nil {
		return err
	}
	m.doors = newReception(ln, m.log)
	m.workers.doors = m.doors
	for i, key := range h.left.Succession.Sockets {
		file, err := h.file(socketFile(i))
		if err == nil {
			err = m.sockets.adopt(key, file)
		}
		if err != nil {
			return err
		}
	}
	if err := m.spawner.Freeze(); err != nil { // until there is no way back any more
		return err
	}
	if err := m.findWorkers(h.left.Workers, h.adoptProcess(m.workers)); err != nil {
		return err
	}
	if err := m.programs.Restore(h.left.Programs, func(name string) *os.File { return h.files[name] }); err != nil {
		return err
	}
	if err := h.taken.Accept(); err != nil {
		return err
	}
	h.accepted = true
	m.spawner.Thaw()
	m.programs.Thaw()
	h.gap = time.Since(h.left.Upgrade.Frozen)
	for _, s := range h.taken.Signals() {
		m.signals <- s // it has room for as many as there were
	}
	m.awaitWorkers(ctx, nil) // this process has the sockets
	return nil
}

// back returns to the image before this one, if that is still possible, and else
// gives the error back.
func (h *reborn) back(why error) error {
	if h.accepted {
		return why
	}
	return errors.Join(why, h.taken.Back(why))
}

func (h *reborn) listener(name string) (*net.UnixListener, error) {
	kept := h.files[name]
	if kept == nil {
		return nil, fmt.Errorf("the former build did not keep %s", name)
	}
	ln, err := inherit.Listener(kept)
	if err != nil {
		return nil, err
	}
	unix, ok := ln.(*net.UnixListener)
	if !ok {
		return nil, fmt.Errorf("the former build kept a %s socket as %s", ln.Addr().Network(), name)
	}
	unix.SetUnlinkOnClose(false)
	return unix, nil
}

// goneOn tells everybody that the master goes on as another image.
func (m *master) goneOn() {
	h := m.reborn
	u := h.left.Upgrade
	r := ctl.UpgradeResult{ID: u.ID, Outcome: outcomeCommitted, Build: m.own.record(), Pid: os.Getpid(), Gap: h.gap}
	if why := h.taken.Returned(); why != nil {
		r.Outcome, r.Error = outcomeRolledBack, why.Error()
	}
	m.mu.Lock()
	m.upgraded = r
	m.mu.Unlock()
	if err := m.reloads.goOn(h.left.Baton.Queue); err != nil {
		m.log.Warn("cannot go on with the reload that was waiting", "error", err)
	}
	m.events.publish(MasterUpgraded{Result: r})
	m.control.serve()
}
