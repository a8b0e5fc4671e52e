package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/program"
	"github.com/dserver/dserver/internal/inherit"
)

// standLimit is how long starts that are under way may take before programs are
// handed over.
const standLimit = 10 * time.Second

// standStill makes programs and their processes stand still, to be handed over.
// move lets all go on here.
func (m *master) standStill(ctx context.Context) (move func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, standLimit)
	defer cancel()
	if err := m.programs.Freeze(ctx); err != nil {
		return nil, err
	}
	if err := m.spawner.Freeze(); err != nil {
		m.programs.Thaw()
		return nil, err
	}
	// What they write next is written to the same files by somebody else.
	if err := m.logs.flush(); err != nil {
		m.log.Warn("the order of lines may suffer", "error", err)
	}
	return func() {
		m.spawner.Thaw()
		m.programs.Thaw()
	}, nil
}

// invocationsOf are those of the processes that records tell of.
func invocationsOf(r program.Records, known map[string]bool) {
	for _, p := range r.Programs {
		for _, in := range p.Instances {
			for _, run := range in.Runs {
				known[run.Process.Invocation] = true
			}
		}
	}
}

// fetchSockets takes the sockets of programs back out of the processes that a
// killed master had given them to. A program whose sockets cannot be had is taken
// out of the records: it has to end before they can be opened anew.
func (m *master) fetchSockets(r *program.Records, keys []socketKey) {
	for i := range r.Programs {
		p := &r.Programs[i]
		listen := listensOf(*p, keys)
		for j := range p.Instances {
			in := &p.Instances[j]
			for _, run := range in.Runs {
				if err := m.fetchFrom(run.Process.Pid, listen); err != nil {
					m.log.Warn("a program has to be started anew", "program", run.Process.Name, "pid", run.Process.Pid, "error", err)
					in.Runs = nil
					break
				}
			}
		}
	}
}

// listensOf gives the sockets that a program was given, in their order.
func listensOf(p program.ProgramRecord, keys []socketKey) (out []socketKey) {
	var def config.Program
	if json.Unmarshal(p.Definition, &def) != nil {
		return nil // it is told when it is restored
	}
	for _, l := range listens(def.Listen) {
		for _, k := range keys {
			if k.Sandbox == def.Name && k.Listen.Name == l.Name {
				out = append(out, k)
			}
		}
	}
	return out
}

func (m *master) fetchFrom(pid int, listen []socketKey) error {
	for n, key := range listen {
		if m.sockets.has(key) {
			continue
		}
		file, err := inherit.Fetch(pid, firstDescriptor+n)
		if err == nil {
			err = m.sockets.adopt(key, file)
		}
		if err != nil {
			return fmt.Errorf("cannot take the socket %s back: %w", key.label(), err)
		}
	}
	return nil
}

// has tells whether a socket is held for the very entry.
func (s *sockets) has(key socketKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.held {
		if h.Sandbox == key.Sandbox && h.Listen.Name == key.Listen.Name {
			return true
		}
	}
	return false
}

// sendKept sends files to a successor, which reads as many as its baton names.
func sendKept(over *net.UnixConn, kept []program.Kept) error {
	if err := over.SetWriteDeadline(time.Now().Add(standLimit)); err != nil {
		return err
	}
	for _, k := range kept {
		if err := inherit.SendFile(over, k.Name, k.File); err != nil {
			return err
		}
	}
	return nil
}

// receiveKept is the other end of sendKept.
func receiveKept(over *net.UnixConn, count int) (files map[string]*os.File, err error) {
	files = make(map[string]*os.File, count)
	if err := over.SetReadDeadline(time.Now().Add(standLimit)); err != nil {
		return files, err
	}
	for range count {
		name, file, err := inherit.ReceiveFile(over)
		if err != nil {
			return files, fmt.Errorf("cannot take over what belongs to programs: %w", err)
		}
		files[name] = file
	}
	return files, nil
}

// takePrograms goes on with the programs of the master before this one, which
// stand still until goOnWithPrograms.
func (m *master) takePrograms(b Baton) error {
	if b.Programs == nil {
		return nil
	}
	if err := m.spawner.Freeze(); err != nil {
		return err
	}
	files, err := receiveKept(m.successor.from.passing, b.Kept)
	if err == nil {
		err = m.programs.Restore(*b.Programs, func(name string) *os.File { return files[name] })
	}
	for _, file := range files {
		err = errors.Join(err, file.Close()) // there are copies
	}
	m.restored = true
	return err
}

// goOnWithPrograms lets the programs go on here.
func (m *master) goOnWithPrograms() {
	if m.restored {
		m.spawner.Thaw()
		m.programs.Thaw()
	}
}
