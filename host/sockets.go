package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/sandbox"
)

// sockets are the listening sockets of an instance. Whoever is the master holds
// them; nobody else binds or unlinks one. A socket is found by its identity, the
// sandbox and the listen name, as long as the configured address stays the same,
// or by the configured address: a sandbox that moves or is renamed keeps it.
type sockets struct {
	mu   sync.Mutex
	held []*heldSocket
}

// heldSocket is one socket and what it was asked for.
type heldSocket struct {
	socketKey
	socket *inherit.Socket
}

// drop gives the socket up for good.
func (h *heldSocket) drop() {
	// It is out of use; nobody could act on a failure.
	if h.Lent {
		_ = h.socket.Close()
	} else {
		_ = h.socket.Remove()
	}
}

// socketKey describes a held socket to a successor.
type socketKey struct {
	Sandbox string         `json:"sandbox"`
	Listen  sandbox.Listen `json:"listen"`         // as configured
	Lent    bool           `json:"lent,omitempty"` // a service manager owns it
}

// label names a socket in LISTEN_FDNAMES.
func (k socketKey) label() string { return socketLabel(k.Sandbox, k.Listen) }

func socketLabel(name string, l sandbox.Listen) string {
	if l.Name == "" {
		return name + ".=" + l.Network + "," + strings.ReplaceAll(l.Address, ":", ";")
	}
	return name + "." + l.Name
}

func sameSocket(a, b sandbox.Listen) bool {
	return a.Network == b.Network && a.Address == b.Address
}

// ensure gives the socket for a sandbox's listen entry; it opens one only if
// none fits. opened tells whether it did.
func (s *sockets) ensure(ctx context.Context, name string, l sandbox.Listen) (h *heldSocket, opened bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.findLocked(name, l); h != nil {
		return h, false, nil
	}
	socket, err := inherit.Listen(ctx, l.Network, l.Address)
	if err != nil {
		return nil, false, portHint(err, name)
	}
	h = &heldSocket{socketKey: socketKey{Sandbox: name, Listen: l}, socket: socket}
	s.held = append(s.held, h)
	return h, true, nil
}

// findLocked prefers the identity: of two entries with port 0 each keeps its own.
func (s *sockets) findLocked(name string, l sandbox.Listen) *heldSocket {
	for _, h := range s.held {
		if h.Sandbox == name && h.Listen.Name == l.Name && sameSocket(h.Listen, l) {
			return h
		}
	}
	if anyPort(l.Address) {
		return nil
	}
	for _, h := range s.held {
		if sameSocket(h.Listen, l) {
			return h
		}
	}
	return nil
}

func anyPort(address string) bool {
	_, port, err := net.SplitHostPort(address)
	return err == nil && port == "0"
}

// PortError says that the address of a sandbox is taken, and what to do.
type PortError struct {
	Sandbox string
	Err     error
}

// Error names the address and the sandbox.
func (e *PortError) Error() string {
	return fmt.Sprintf("%v (sandbox %s): stop the program that listens there or change the address", e.Err, e.Sandbox)
}

// Unwrap gives the cause, an [inherit.InUseError].
func (e *PortError) Unwrap() error { return e.Err }

func portHint(err error, name string) error {
	var inUse *inherit.InUseError
	if errors.As(err, &inUse) {
		return &PortError{Sandbox: name, Err: err}
	}
	return fmt.Errorf("sandbox %s: %w", name, err)
}

// ensureAll opens what an assignment needs; on an error it closes again what it
// opened. undo does the same later.
func (s *sockets) ensureAll(ctx context.Context, boxes []Sandbox) (undo func(), err error) {
	var opened []*heldSocket
	undo = func() { s.drop(opened) }
	for _, b := range boxes {
		for _, l := range b.Listen {
			h, isNew, err := s.ensure(ctx, b.Name, l)
			if err != nil {
				undo()
				return nil, err
			}
			if isNew {
				opened = append(opened, h)
			}
		}
	}
	return undo, nil
}

// of gives the sockets of some sandboxes, declared and asked for, in order.
func (s *sockets) of(boxes []Sandbox) []handedSocket {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []handedSocket
	for _, b := range boxes {
		declared := make(map[*heldSocket]bool)
		for _, l := range b.Listen {
			if h := s.findLocked(b.Name, l); h != nil {
				declared[h] = true
				out = append(out, handedSocket{label: socketLabel(b.Name, l), socket: h.socket})
			}
		}
		for _, h := range s.held {
			if h.Sandbox == b.Name && h.Listen.Name == "" && !declared[h] {
				out = append(out, handedSocket{label: h.label(), socket: h.socket})
			}
		}
	}
	return out
}

// handedSocket is a socket on its way to a process.
type handedSocket struct {
	label  string
	socket *inherit.Socket
}

// keepOnly removes the sockets that were declared for sandboxes or listen names
// that no longer are; the sockets that a sandbox asked for go with the sandbox.
func (s *sockets) keepOnly(boxes []Sandbox) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kept []*heldSocket
	for _, h := range s.held {
		key, ok := wanted(h.socketKey, boxes)
		switch {
		case !ok:
			h.drop()
		case key == h.socketKey:
			kept = append(kept, h)
		default: // others may be reading h
			kept = append(kept, &heldSocket{socketKey: key, socket: h.socket})
		}
	}
	s.held = kept
}

// wanted tells whether some sandbox still has the socket, and which.
func wanted(key socketKey, boxes []Sandbox) (socketKey, bool) {
	for _, b := range boxes {
		if key.Listen.Name == "" && key.Sandbox == b.Name {
			return key, true
		}
		for _, l := range b.Listen {
			if !sameSocket(key.Listen, l) || anyPort(l.Address) && (key.Sandbox != b.Name || key.Listen.Name != l.Name) {
				continue
			}
			return socketKey{Sandbox: b.Name, Listen: l, Lent: key.Lent}, true
		}
	}
	return key, false
}

func (s *sockets) drop(some []*heldSocket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kept []*heldSocket
	for _, h := range s.held {
		dropped := false
		for _, d := range some {
			dropped = dropped || d.socket == h.socket
		}
		if dropped {
			h.drop()
			continue
		}
		kept = append(kept, h)
	}
	s.held = kept
}

// forgetVanished lets go of unix sockets whose paths are no longer theirs, and
// tells how many there were.
func (s *sockets) forgetVanished() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.held)
	s.held = slices.DeleteFunc(s.held, func(h *heldSocket) bool {
		vanished := h.socket.Network() == "unix" && !h.socket.Bound()
		if vanished {
			_ = h.socket.Close() // nobody can reach it any more
		}
		return vanished
	})
	return before - len(s.held)
}

// list gives all sockets in the order in which they were opened.
func (s *sockets) list() []*heldSocket {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*heldSocket(nil), s.held...)
}

// addresses gives the resolved addresses of a sandbox.
func (s *sockets) addresses(name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, h := range s.held {
		if h.Sandbox == name {
			out = append(out, h.socket.String())
		}
	}
	return out
}

// adopt takes a socket over that was inherited from another master.
func (s *sockets) adopt(key socketKey, file *os.File) error {
	defer file.Close()
	socket, err := inherit.Hold(file)
	if err != nil {
		return fmt.Errorf("cannot take over the socket %s: %w", key.label(), err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = append(s.held, &heldSocket{socketKey: key, socket: socket})
	return nil
}

// borrow takes a socket that a service manager above gave to this process, for
// the listen entry that it fits: by its name, SANDBOX or SANDBOX.LISTENNAME, or
// by its address. It tells whether there is such an entry.
func (s *sockets) borrow(given inherit.Named, boxes []Sandbox) (bool, error) {
	defer given.File.Close()
	socket, err := inherit.Hold(given.File)
	if err != nil {
		return false, fmt.Errorf("cannot take the socket %s that the service manager gave: %w", given.Name, err)
	}
	for _, b := range boxes {
		for i, l := range b.Listen {
			byName := given.Name == socketLabel(b.Name, l) || i == 0 && given.Name == b.Name
			if !byName && !listensAt(socket, l) {
				continue
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			key := socketKey{Sandbox: b.Name, Listen: l, Lent: true}
			s.held = append(s.held, &heldSocket{socketKey: key, socket: socket})
			return true, nil
		}
	}
	return false, socket.Close()
}

// listensAt tells whether a socket is bound to what a listen entry asks for.
func listensAt(socket *inherit.Socket, l sandbox.Listen) bool {
	if (socket.Network() == "unix") != (l.Network == "unix") {
		return false
	}
	return socket.Address() == l.Address || socket.Address() == "[::]"+l.Address
}

// close gives up this process' hold on all; remove unlinks them as well.
func (s *sockets) close(remove bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.held {
		if remove {
			h.drop()
		} else {
			_ = h.socket.Close()
		}
	}
	s.held = nil
}

// Listener implements sandbox.Sockets for sandboxes of this process.
func (s *sockets) Listener(ctx context.Context, name string, l sandbox.Listen) (net.Listener, error) {
	h, _, err := s.ensure(ctx, name, l)
	if err != nil {
		return nil, err
	}
	return h.socket.Listener()
}

// PacketConn implements sandbox.Sockets.
func (s *sockets) PacketConn(ctx context.Context, name string, l sandbox.Listen) (net.PacketConn, error) {
	h, _, err := s.ensure(ctx, name, l)
	if err != nil {
		return nil, err
	}
	return h.socket.PacketConn()
}

var _ sandbox.Sockets = (*sockets)(nil)
