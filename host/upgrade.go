package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/program"
	"github.com/dserver/dserver/host/reexec"
)

// handoverVersion is that of the bequest between two images of a master. A build
// that does not know it is not executed.
const handoverVersion = 1

// bequest is all that the next image of this process has to know.
type bequest struct {
	Version    int               `json:"version"`
	Succession Succession        `json:"succession"`
	Baton      Baton             `json:"baton"`
	Demo       bool              `json:"demo,omitempty"`
	Path       string            `json:"path"`   // where a reload looks for the new build
	Binary     string            `json:"binary"` // path of the plan's build, whose file goes along
	Stopped    map[string]bool   `json:"stopped,omitempty"`
	Levels     map[string]string `json:"levels,omitempty"`
	Workers    []workerRecord    `json:"workers"`
	Programs   program.Records   `json:"programs"`
	Upgrade    upgradeRecord     `json:"upgrade"`
	Files      []string          `json:"files"` // names of the kept files, in their order
}

// upgradeRecord is the upgrade that is under way.
type upgradeRecord struct {
	ID     int       `json:"id"`
	Began  time.Time `json:"began"`
	Frozen time.Time `json:"frozen"` // from here on nobody looked after the processes
	Build  ctl.Build `json:"build"`  // that was executed
}

// Names of kept files. Sockets and pipes have names with numbers.
const (
	keptLock  = "lock"
	keptCtl   = "ctl"
	keptDoors = "doors"
	keptBuild = "build"
)

// cargo collects the files that are kept.
type cargo struct {
	names []string
	files []syscall.Conn
}

func (c *cargo) add(name string, file syscall.Conn) {
	c.names, c.files = append(c.names, name), append(c.files, file)
}

func appBuild(app string) string { return keptBuild + " of " + app }

func pipeName(pid int, stream string) string { return fmt.Sprintf("%s of %d", stream, pid) }

// Upgrade implements ctl.Supervisor. In single mode the master is the process of
// its sandboxes, so there it is a reload. What is decided on is done behind the
// caller's back, who asks the next image how it went.
func (m *master) Upgrade(ctx context.Context, r ctl.UpgradeRequest) (ctl.UpgradeResult, error) {
	switch {
	case r.Resume > 0:
		return m.upgradeOutcome(ctx, r.Resume)
	case m.upgrader != nil:
		return m.upgradeByReload(ctx, r)
	}
	path := r.Binary
	if path == "" {
		path = m.path
	}
	b, err := openBuild(path)
	if err != nil {
		return m.upgradeFailed(r.ID, outcomeRefused, err), nil
	}
	u, err := m.beginUpgrade(ctx, r.ID, b)
	if err != nil {
		b.close()
		return m.upgradeFailed(r.ID, outcomeRefused, err), nil
	}
	m.group.Go("upgrade", func(ctx context.Context) {
		defer b.close()
		_ = u.finish(ctx) // it is told as the outcome
	})
	return ctl.UpgradeResult{ID: u.ID, Outcome: ctl.OutcomeMoved, Build: u.Build, Pid: os.Getpid()}, nil
}

func (m *master) upgradeByReload(ctx context.Context, r ctl.UpgradeRequest) (ctl.UpgradeResult, error) {
	reloaded, err := m.Reload(ctx, ctl.ReloadRequest{Binary: r.Binary})
	result := ctl.UpgradeResult{ID: r.ID, Outcome: reloaded.Outcome, Build: reloaded.Build, Error: reloaded.Error, Output: reloaded.Output}
	m.mu.Lock()
	defer m.mu.Unlock()
	if result.Pid = m.heir; result.Pid == 0 {
		result.Pid, result.Build = os.Getpid(), m.own.record()
	}
	return result, err
}

// upgradeOutcome tells how an upgrade went, most likely by the image after the one
// that began it.
func (m *master) upgradeOutcome(ctx context.Context, id int) (ctl.UpgradeResult, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch id {
	case m.upgraded.ID:
		return m.upgraded, ctx.Err()
	case m.upgrading:
		return ctl.UpgradeResult{}, ctl.Problemf(ctl.ErrBusy, "upgrade %d is under way", id)
	}
	return ctl.UpgradeResult{}, ctl.Problemf(ctl.ErrNotFound, "there was no upgrade %d", id)
}

// upgrade is one that was decided on. It keeps all other changes waiting.
type upgrade struct {
	upgradeRecord
	master *master
	build  *build
	give   func() // gives the turns back
}

// beginUpgrade makes sure that a build can take the place of this one; nothing is
// touched.
func (m *master) beginUpgrade(ctx context.Context, id int, b *build) (u *upgrade, err error) {
	give, err := takeAll(ctx, m.changes, m.transitions)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			give()
		}
	}()
	if err := m.mayAct(nil); err != nil {
		return nil, err
	}
	if err := m.mayBecome(ctx, b); err != nil {
		return nil, err
	}
	m.mu.Lock()
	m.upgrading = id
	m.mu.Unlock()
	return &upgrade{master: m, build: b, give: give, upgradeRecord: upgradeRecord{ID: id, Began: time.Now(), Build: b.record()}}, nil
}

// finish executes the build. It returns only if that does not happen.
func (u *upgrade) finish(ctx context.Context) error {
	defer u.give()
	err := u.master.become(ctx, u.build, u.upgradeRecord)
	u.master.upgradeFailed(u.ID, outcomeRolledBack, err)
	return err
}

// upgradeFailed notes that this master goes on with the build that it has.
func (m *master) upgradeFailed(id int, outcome string, err error) ctl.UpgradeResult {
	r := ctl.UpgradeResult{ID: id, Outcome: outcome, Build: m.own.record(), Pid: os.Getpid(), Error: err.Error()}
	var check *CheckError
	if errors.As(err, &check) {
		r.Output = check.rest()
	}
	m.mu.Lock()
	m.upgraded = r
	m.mu.Unlock()
	m.events.publish(MasterUpgraded{Result: r})
	return r
}

// upgradeAfter brings the master itself to the build that a reload has brought its
// workers to. The remark says why it does not, should that fail; else the next
// image answers whoever asked for the reload.
func (m *master) upgradeAfter(request ctl.ReloadRequest, result ctl.ReloadResult) (remark string) {
	next := m.currentPlan().build
	if m.workers == nil || result.Outcome != outcomeCommitted || len(request.Names) > 0 || m.own.id() == next.id() {
		return ""
	}
	ctx := m.group.Context()
	u, err := m.beginUpgrade(ctx, 0, next)
	if err != nil {
		err = errors.New(m.upgradeFailed(0, outcomeRefused, err).Error)
	} else {
		err = u.finish(ctx)
	}
	return fmt.Sprintf("the master itself still runs build %s: %v", m.own.id(), err)
}

// mayBecome tells whether a build can go on with what this master has.
func (m *master) mayBecome(ctx context.Context, b *build) error {
	c, err := m.preflight(ctx, b)
	if err != nil {
		return err
	}
	if c.Handover != handoverVersion {
		return fmt.Errorf("cannot go over to %s in place: it knows version %d of a master's state, not %d; stop and start instead",
			b.path, c.Handover, handoverVersion)
	}
	return config.CheckReload(m.currentPlan().config, c.Config)
}

// answerLimit is how long callers have to take their answers before the process
// becomes another program.
const answerLimit = time.Second

// become executes a build in place of this one, with everything that it needs to
// go on. It returns only if that fails, and then all goes on as before.
func (m *master) become(ctx context.Context, b *build, u upgradeRecord) (err error) {
	m.move("upgrading", "")
	m.control.pause()
	queue := m.reloads.suspend()
	m.callers.sendAway()
	m.control.settle(answerLimit)
	resume := make(chan struct{})
	select {
	case m.hold <- resume: // signals wait from here on
	case <-m.ended:
		return errStopping
	}
	u.Frozen = time.Now()
	defer func() {
		close(resume)
		m.callers.welcome()
		m.reloads.reopen(queue)
		m.control.serve()
		m.resume()
	}()
	move, err := m.standStill(ctx)
	if err != nil {
		return err
	}
	defer move()
	left, kept, err := m.bequest(queue, u)
	if err != nil {
		return err
	}
	if err := m.logs.flush(); err != nil {
		return err
	}
	return reexec.Exec(ctx, reexec.Image{
		File: b.file, Args: slices.Concat([]string{b.path}, os.Args[1:]), Env: os.Environ(),
		State: left, Files: kept.files, Signals: m.signals,
	})
}

// bequest describes this master to the next image.
func (m *master) bequest(q queue, u upgradeRecord) ([]byte, cargo, error) {
	p := m.currentPlan()
	var kept cargo
	succession, err := m.succession(p)
	if err != nil {
		return nil, kept, err
	}
	kept.add(keptLock, m.lock.File())
	kept.add(keptCtl, m.control.listener)
	kept.add(keptDoors, m.doors.listener)
	kept.add(keptBuild, p.build.file)
	for _, name := range slices.Sorted(maps.Keys(p.builds)) {
		kept.add(appBuild(name), p.builds[name].file)
	}
	for i, h := range m.sockets.list() {
		kept.add(socketFile(i), h.socket)
	}
	left := bequest{
		Version: handoverVersion, Succession: *succession, Demo: p.demo, Path: m.path, Binary: p.build.path,
		Stopped: p.stopped, Levels: p.levels, Upgrade: u,
		Baton: Baton{Events: m.events.remembered(), Queue: q},
	}
	m.mu.Lock()
	left.Baton.Reloads, left.Baton.Commits = m.counts, m.commits
	m.mu.Unlock()
	left.Baton.Reloads.Cut += len(m.fleet.cuts())
	left.Workers = m.recordWorkers(&kept)
	var files []program.Kept
	left.Programs, files = m.programs.Bequest()
	for _, f := range files {
		kept.add(f.Name, f.File)
	}
	left.Files = kept.names
	text, err := json.Marshal(left)
	if err != nil {
		return nil, kept, fmt.Errorf("cannot write down what the master knows: %w", err)
	}
	return text, kept, nil
}
