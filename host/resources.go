package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/internal/inherit"
)

// releaseLimit is how long the last answers of the control socket, and the
// goroutines of the master, have at its end.
const releaseLimit = 5 * time.Second

// acquire takes what belongs to an instance: the lock first, which makes this
// process the only one that may touch the rest.
func (m *master) acquire(ctx context.Context) error {
	switch {
	case m.successor != nil:
		return m.inherit()
	case m.reborn != nil:
		if err := m.takeUp(ctx); err != nil {
			return m.reborn.back(err)
		}
		return nil
	}
	lock, err := m.dir.Lock()
	if err != nil {
		return err
	}
	m.lock = lock
	if err := m.logs.open(m.dir); err != nil {
		return err
	}
	m.recall(true)
	if m.programs, err = m.newPrograms(); err != nil {
		return err
	}
	path, err := m.dir.Socket()
	if err != nil {
		return err
	}
	ln, err := ctl.Listen(path)
	if err != nil {
		return err
	}
	m.control = newControlSocket(ln, m, m.log)
	if err := m.borrow(); err != nil {
		return err
	}
	if err := m.recover(ctx); err != nil {
		return err
	}
	if err := m.openSockets(ctx); err != nil {
		return err
	}
	m.control.serve()
	return nil
}

// recover finds what a master left that was killed: its programs, its workers, and
// what nobody knows any more.
func (m *master) recover(ctx context.Context) (err error) {
	if m.former, err = m.formerState(); err != nil {
		m.log.Warn(err.Error())
	}
	left := m.former
	if left == nil {
		left = &stateRecord{}
	}
	if m.workers == nil {
		left.Workers = nil // they are of no use to this one
	}
	m.fetchSockets(&left.Programs, left.Sockets)
	if err := m.programs.Restore(left.Programs, nil); err != nil {
		return err
	}
	if m.workers != nil {
		if err := m.openDoors(left.Doors); err != nil {
			return err
		}
		if err := m.findWorkers(left.Workers, m.workers.findProcess); err != nil {
			return err
		}
	}
	known := invocations(m.found)
	invocationsOf(left.Programs, known)
	if err := m.endStrangers(known); err != nil {
		m.log.Warn(err.Error())
	}
	m.programs.Thaw()
	if m.workers != nil {
		m.awaitWorkers(ctx, left.Sockets)
	}
	return nil
}

// openDoors makes the reception, at the former master's address if there was one.
func (m *master) openDoors(address string) (err error) {
	if m.doors, err = openReception(address, m.log); err != nil && address != "" {
		m.log.Warn("workers of the former master cannot come", "error", err)
		m.doors, err = openReception("", m.log)
	}
	m.workers.doors = m.doors
	return err
}

// openSockets opens what the plan needs.
func (m *master) openSockets(ctx context.Context) error {
	_, err := m.sockets.ensureAll(ctx, m.currentPlan().holders())
	return err
}

// borrow takes the sockets that a service manager gave, before any is opened.
func (m *master) borrow() error {
	boxes := m.currentPlan().holders()
	for _, given := range m.lent {
		fits, err := m.sockets.borrow(given, boxes)
		if err != nil {
			return err
		}
		if !fits {
			m.log.Warn("the service manager gave a socket that nobody listens on", "name", given.Name)
		}
	}
	m.lent = nil
	return nil
}

// inherit takes the same things from the predecessor, which goes on using them
// until it gives the order to open.
func (m *master) inherit() error {
	from := m.successor.from
	file, err := from.take(fileLock)
	if err != nil {
		return err
	}
	if m.lock, err = m.dir.Adopt(file); err != nil {
		return err
	}
	if err := m.logs.open(m.dir); err != nil {
		return err
	}
	m.recall(false)
	if m.programs, err = m.newPrograms(); err != nil {
		return err
	}
	if err := m.inheritControl(from); err != nil {
		return err
	}
	if m.successor.given.Succession.Lifeline {
		if m.lifeline, err = from.take(fileLifeline); err != nil {
			return err
		}
	}
	for i, key := range m.successor.given.Succession.Sockets {
		file, err := from.take(socketFile(i))
		if err != nil {
			return err
		}
		if err := m.sockets.adopt(key, file); err != nil {
			return err
		}
	}
	return nil
}

func (m *master) inheritControl(from *predecessor) error {
	file, err := from.take(fileCtl)
	if err != nil {
		return err
	}
	defer file.Close()
	ln, err := inherit.Listener(file)
	if err != nil {
		return err
	}
	unix, ok := ln.(*net.UnixListener)
	if !ok {
		return fmt.Errorf("cannot inherit the control socket: it is a %s socket", ln.Addr().Network())
	}
	m.control = newControlSocket(unix, m, m.log)
	return nil
}

func socketFile(i int) string { return fmt.Sprintf("%s%d", fileSocket, i) }

// bequeath gives a successor what inherit takes.
func (m *master) bequeath(put func(name string, file *os.File) error) error {
	control, err := m.control.file()
	if err != nil {
		return err
	}
	defer control.Close()
	errs := []error{put(fileCtl, control), put(fileLock, m.lock.File())}
	if m.lifeline != nil {
		errs = append(errs, put(fileLifeline, m.lifeline))
	}
	for i, h := range m.sockets.list() {
		file, err := inherit.Dup(h.socket, h.label())
		if err != nil {
			return err
		}
		errs = append(errs, put(socketFile(i), file), file.Close())
	}
	return errors.Join(errs...)
}

// release lets go of everything. What others may be using now, because they have
// succeeded this master, stays where it is.
func (m *master) release() error {
	ctx, cancel := context.WithTimeout(context.Background(), releaseLimit)
	defer cancel()
	var errs []error
	if m.control != nil {
		errs = append(errs, m.control.close(ctx))
	}
	errs = append(errs, m.group.Stop(ctx), m.keepers.Stop(ctx))
	if m.doors != nil {
		errs = append(errs, m.doors.close(ctx))
	}
	mine := m.owns()
	m.sockets.close(mine)
	if m.lifeline != nil {
		errs = append(errs, m.lifeline.Close())
	}
	if m.lock != nil {
		if mine {
			errs = append(errs, m.lock.Clean())
		} else {
			errs = append(errs, m.lock.Close())
		}
	}
	if mine {
		errs = append(errs, m.groups.Close())
	}
	for _, b := range m.builds {
		b.close()
	}
	return errors.Join(append(errs, m.logs.close())...)
}

// awaitsOrder tells whether this is a successor that has not been given the order
// to open.
func (m *master) awaitsOrder() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.successor != nil && !m.ordered
}

// hasHeir tells whether another process is the master now.
func (m *master) hasHeir() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.succeeded
}

// owns tells whether the instance's files are this process' to remove: it holds
// the lock and neither waits for an order to open nor has given one.
func (m *master) owns() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lock != nil && !m.succeeded && (m.successor == nil || m.opened)
}
