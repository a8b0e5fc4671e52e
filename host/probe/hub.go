package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/dserver/dserver/internal/inherit"
)

// A notice can come before whoever started its sender has had the time to say so.
const (
	strangerLimit = 256             // notices of strangers that are kept
	strangerTime  = 5 * time.Second // and for how long
)

// Hub is the receiving end of NOTIFY_SOCKET for any number of programs. It finds
// out by the sender's number, which is the kernel's word, whose process has
// spoken: one that was added itself, or one in its control group, in its session,
// or that descends from it. Notices of anybody else are counted and dropped; so are
// those of a helper that is dead and reaped before it can be looked up, unless it
// waits until it was heard (BARRIER=1), as systemd-notify does.
type Hub struct {
	listener *inherit.NotifyListener

	// mu is held while notices are handled, so that they are in order, also those
	// that came too early.
	mu        sync.Mutex
	members   map[int]*Member // by pid
	early     []stranger
	strangers uint64
	barriers  map[string]chan struct{}
	serial    uint64
}

// stranger is a notice whose sender belongs to nobody, so far.
type stranger struct {
	said inherit.Notice
	from lineage
	main lineage // of MAINPID
	at   time.Time
}

// Source is one process of which notices are taken.
type Source struct {
	// Pid of the process, which leads a session.
	Pid int
	// Grouped says that the process has a control group to itself and to those that
	// come of it.
	Grouped bool
	// Invocation is what it and those that come of it have as INVOCATION_ID; empty if
	// that says nothing.
	Invocation string
	// Handle is called for each notice, in order. It must not take long, and must not
	// call the Hub or the Member.
	Handle func(Notice)
}

// Member is a [Source] that was added.
type Member struct {
	hub    *Hub
	source Source
	groups map[string]string // where it is and we are not; none if not Grouped
	main   int               // what it named by MAINPID last, or 0
}

// ListenHub opens the socket at path, for senders of any user: a program may run as
// somebody else, and it is not the right to send that counts. See
// [inherit.ListenNotify] about what may be in the way there, and about abstract
// addresses (@NAME), which are reached without a right to any folder.
func ListenHub(ctx context.Context, path string) (*Hub, error) {
	listener, err := inherit.ListenNotify(ctx, path)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(path, "@") {
		if err := os.Chmod(path, 0o666); err != nil {
			return nil, errors.Join(fmt.Errorf("cannot open %s to all: %w", path, err), listener.Close())
		}
	}
	return newHub(listener), nil
}

// AdoptHub goes on with the socket of a former Hub, which listened on path. It works
// on a copy; c stays open.
func AdoptHub(c syscall.Conn, path string) (*Hub, error) {
	listener, err := inherit.HoldNotify(c, path)
	if err != nil {
		return nil, err
	}
	return newHub(listener), nil
}

func newHub(listener *inherit.NotifyListener) *Hub {
	return &Hub{listener: listener, members: make(map[int]*Member), barriers: make(map[string]chan struct{})}
}

// Conn is the socket, for [AdoptHub] in a process that goes on in our place. It
// stays the Hub's own.
func (h *Hub) Conn() syscall.Conn { return h.listener }

// Path is what programs get as NOTIFY_SOCKET.
func (h *Hub) Path() string { return h.listener.Path() }

// Pause ends Serve, which returns nil. What comes meanwhile stays in the socket, for
// who serves again after Resume, or goes on with the socket.
func (h *Hub) Pause() error { return h.listener.Pause() }

// Resume undoes Pause.
func (h *Hub) Resume() error { return h.listener.Resume() }

// Serve receives until [Hub.Close] or [Hub.Pause], and then returns nil.
func (h *Hub) Serve() error {
	for {
		said, err := h.listener.Receive()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			h.end()
			return nil
		}
		if err != nil {
			h.end()
			return err
		}
		h.receive(said)
	}
}

// Close ends Serve and removes the socket.
func (h *Hub) Close() error { return h.listener.Close() }

// Strangers is how many notices came from nobody's processes.
func (h *Hub) Strangers() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forget(time.Now())
	return h.strangers
}

// Add takes notices of a process from now on, and those that came a moment ago. The
// process must be alive, or dead and not reaped.
func (h *Hub) Add(s Source) *Member {
	m := &Member{hub: h, source: s}
	if s.Grouped {
		m.groups = differing(groupsOf(s.Pid), groupsOf(os.Getpid()))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.members[s.Pid] = m
	h.forget(time.Now())
	h.early = slices.DeleteFunc(h.early, func(e stranger) bool {
		if !m.owns(e.from) {
			return false
		}
		m.handle(e.said, e.main)
		return true
	})
	return m
}

// Remove takes no more notices of the process. Afterwards Handle is not called and
// does not run.
func (m *Member) Remove() {
	h := m.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, pid := range []int{m.source.Pid, m.main} {
		if h.members[pid] == m {
			delete(h.members, pid)
		}
	}
}

// Drain returns once all notices that had been sent before were handled: a process
// that has exited has said nothing that comes later. The error is for ctx, and for a
// Hub that does not serve.
func (h *Hub) Drain(ctx context.Context) error {
	h.mu.Lock()
	if h.barriers == nil {
		h.mu.Unlock()
		return fmt.Errorf("cannot wait for notices: %w", net.ErrClosed)
	}
	h.serial++
	name := strconv.FormatUint(h.serial, 10)
	passed := make(chan struct{})
	h.barriers[name] = passed
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.barriers, name)
	}()
	// What we send ourselves comes after all that was sent before.
	if err := inherit.Notify(ctx, h.Path(), barrierKey+"="+name); err != nil {
		return fmt.Errorf("cannot wait for notices: %w", err)
	}
	select {
	case <-passed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("cannot wait for notices: %w", context.Cause(ctx))
	}
}

// barrierKey names the notices that we send to ourselves.
const barrierKey = "X_DSERVER_BARRIER"

func (h *Hub) receive(said inherit.Notice) {
	if said.Pid == os.Getpid() {
		if key, name, _ := strings.Cut(said.Lines[0], "="); key == barrierKey {
			h.pass(name)
			return
		}
	}
	h.mu.Lock()
	m := h.members[said.Pid]
	h.mu.Unlock()
	var from, main lineage
	if m == nil {
		from = lineageOf(said.Pid)
	}
	if pid := parse(said).MainPid; pid != 0 {
		main = lineageOf(pid)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if m == nil || h.members[said.Pid] != m {
		m = h.owner(from)
	}
	if m != nil {
		m.handle(said, main)
		return
	}
	now := time.Now()
	h.early = append(h.early, stranger{said: said, from: from, main: main, at: now})
	h.forget(now)
}

func (h *Hub) pass(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if passed, ok := h.barriers[name]; ok {
		close(passed)
		delete(h.barriers, name)
	}
}

// end lets go of those who wait for notices.
func (h *Hub) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, passed := range h.barriers {
		close(passed)
	}
	h.barriers = nil
}

// forget drops notices of strangers that nobody has claimed.
func (h *Hub) forget(now time.Time) {
	drop := max(0, len(h.early)-strangerLimit)
	for drop < len(h.early) && now.Sub(h.early[drop].at) > strangerTime {
		drop++
	}
	h.strangers += uint64(drop)
	h.early = slices.Delete(h.early, 0, drop)
}

// owner finds whose process one is: the nearest in the line of parents, then by
// session, then by what members alone have.
func (h *Hub) owner(l lineage) *Member {
	for _, pid := range l.known() {
		if m := h.members[pid]; m != nil {
			return m
		}
	}
	var found *Member
	for pid, m := range h.members {
		if m.claims(l) && (found == nil || pid < found.source.Pid) {
			found = m
		}
	}
	return found
}

// owns tells the same for one member alone.
func (m *Member) owns(l lineage) bool {
	known := l.known()
	return slices.Contains(known, m.source.Pid) || m.main != 0 && slices.Contains(known, m.main) || m.claims(l)
}

// claims tells whether a process has what only those of the member have.
func (m *Member) claims(l lineage) bool {
	return within(l.groups, m.groups) || l.invocation != "" && l.invocation == m.source.Invocation
}

// handle passes a notice on. A main process is only believed if it is one of the
// same program: whoever may name any process could have it killed.
func (m *Member) handle(said inherit.Notice, main lineage) {
	n := parse(said)
	if n.MainPid != 0 && !m.owns(main) {
		n.Wrong = append(n.Wrong, fmt.Sprintf("cannot follow MAINPID=%d: it is not a process of the same program", n.MainPid))
		n.MainPid = 0
	}
	if n.MainPid != 0 && n.MainPid != m.main && n.MainPid != m.source.Pid {
		if m.hub.members[m.main] == m {
			delete(m.hub.members, m.main)
		}
		if m.hub.members[n.MainPid] == nil {
			m.main, m.hub.members[n.MainPid] = n.MainPid, m
		}
	}
	m.source.Handle(n)
}

// differing gives the groups of a process that are not ours.
func differing(theirs, ours map[string]string) map[string]string {
	for hierarchy, group := range ours {
		if theirs[hierarchy] == group {
			delete(theirs, hierarchy)
		}
	}
	return theirs
}

// within tells whether a process is in all of some groups, or in groups below.
func within(groups, all map[string]string) bool {
	for hierarchy, group := range all {
		if own := groups[hierarchy]; own != group && !strings.HasPrefix(own, group+"/") {
			return false
		}
	}
	return len(all) > 0
}
