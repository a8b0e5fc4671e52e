package host

import (
	"context"
	"time"

	"github.com/dserver/dserver/ctl"
)

// guardInterval is how often the master looks whether its runtime folder is still
// there. The folder of a user vanishes at logout, which no event of a file in it
// tells reliably.
const guardInterval = 5 * time.Second

// guard makes the runtime folder again when it has vanished, until ctx ends.
func (m *master) guard(ctx context.Context) {
	look := time.NewTicker(guardInterval)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			if m.owns() {
				m.restore()
			}
		}
	}
}

// restore makes the lock, the pid file and the control socket again if they have
// vanished. Sandboxes' sockets in the folder need new descriptors in the
// processes that accept on them, so these are replaced by a reload.
func (m *master) restore() {
	if m.transitions.take(m.group.Context()) != nil {
		return
	}
	defer m.transitions.give()
	vanished, err := m.lock.Restore()
	if err != nil {
		m.log.Error("cannot make the runtime folder again", "error", err)
		return
	}
	if !vanished {
		return
	}
	m.log.Warn("the runtime folder had vanished and was made again", "folder", m.dir.Path)
	if err := m.restoreControl(); err != nil {
		m.log.Error("cannot make the control socket again", "error", err)
	}
	if err := m.rewriteState(); err != nil {
		m.log.Error("cannot write the state again", "error", err)
	}
	if m.sockets.forgetVanished() > 0 {
		if _, err := m.reloads.submit(ctl.ReloadRequest{}); err != nil {
			m.log.Error("cannot make the sockets in the runtime folder again", "error", err)
		}
	}
}

func (m *master) restoreControl() error {
	path, err := m.dir.Socket()
	if err != nil {
		return err
	}
	ln, err := ctl.Listen(path)
	if err != nil {
		return err
	}
	m.control.relisten(ln)
	return nil
}
