package inherit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxPath is the longest path of a unix socket, in bytes.
const maxPath = 107

// probeLimit is how long a unix socket that is in the way has to answer before
// it counts as alive.
const probeLimit = time.Second

// Socket is a listening socket that is held to be handed to processes which
// accept on it. The holder itself does not accept; [Socket.Listener] makes a
// listener for that. Make one with [Listen] or [Hold].
type Socket struct {
	network string
	address string
	file    *os.File

	mu   sync.Mutex
	path os.FileInfo // of the unix socket's file; nil when there is none
}

// Listen opens a listening socket on network, which is tcp, tcp4, tcp6 or unix, or
// a datagram socket on udp, udp4 or udp6.
//
// A unix path of more than 107 bytes is refused, and so is one at which there is
// anything but a dead socket of our own user; that one is replaced. An address that
// is taken gives an [*InUseError].
func Listen(ctx context.Context, network, address string) (*Socket, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	case "udp", "udp4", "udp6":
		return listenPacket(ctx, network, address)
	case "unix":
		if err := clearPath(ctx, address); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("cannot listen on %s://%s: the network must be tcp, tcp4, tcp6, unix, udp, udp4 or udp6", network, address)
	}
	config := net.ListenConfig{}
	// Other programs that get the socket expect plain TCP.
	config.SetMultipathTCP(false)
	ln, err := config.Listen(ctx, network, address)
	if err != nil {
		return nil, refused(network, address, err)
	}
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	defer ln.Close()
	return holdListener(ln)
}

func listenPacket(ctx context.Context, network, address string) (*Socket, error) {
	config := net.ListenConfig{}
	conn, err := config.ListenPacket(ctx, network, address)
	if err != nil {
		return nil, refused(network, address, err)
	}
	defer conn.Close()
	return holdPacket(conn)
}

func refused(network, address string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return &InUseError{Network: network, Address: address, Err: err}
	}
	return fmt.Errorf("cannot listen on %s://%s: %w", network, address, reason(err))
}

// Hold makes a Socket of a listening or datagram socket that another process
// opened. It works on a copy; c stays open.
func Hold(c syscall.Conn) (*Socket, error) {
	kind, err := kindOf(c)
	if err != nil {
		return nil, err
	}
	if kind == unix.SOCK_DGRAM {
		conn, err := PacketConn(c)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		return holdPacket(conn)
	}
	ln, err := Listener(c)
	if err != nil {
		return nil, err
	}
	defer ln.Close()
	return holdListener(ln)
}

// kindOf tells the type of a socket, such as SOCK_STREAM.
func kindOf(c syscall.Conn) (kind int, err error) {
	err = Numbers([]syscall.Conn{c}, func(numbers []uintptr) (err error) {
		kind, err = unix.GetsockoptInt(int(numbers[0]), unix.SOL_SOCKET, unix.SO_TYPE)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("cannot hold what is no socket: %w", err)
	}
	return kind, nil
}

func holdPacket(conn net.PacketConn) (*Socket, error) {
	s := &Socket{network: conn.LocalAddr().Network(), address: conn.LocalAddr().String()}
	f, err := Dup(conn.(syscall.Conn), s.network+"://"+s.address)
	if err != nil {
		return nil, err
	}
	s.file = f
	return s, nil
}

func holdListener(ln net.Listener) (*Socket, error) {
	s := &Socket{network: ln.Addr().Network(), address: ln.Addr().String()}
	if s.network == "unix" {
		info, err := os.Lstat(s.address)
		if err != nil {
			return nil, fmt.Errorf("cannot hold the unix socket: %w", err)
		}
		s.path = info
	}
	f, err := Dup(ln.(syscall.Conn), s.network+"://"+s.address)
	if err != nil {
		return nil, err
	}
	s.file = f
	return s, nil
}

// Network is tcp, unix or udp.
func (s *Socket) Network() string { return s.network }

// Address is where the socket listens, with the port that was really taken.
func (s *Socket) Address() string { return s.address }

// String is network and address, as tcp://127.0.0.1:9091.
func (s *Socket) String() string { return s.network + "://" + s.address }

// SyscallConn makes a Socket fit to be handed to a child.
func (s *Socket) SyscallConn() (syscall.RawConn, error) { return s.file.SyscallConn() }

// Listener makes a listener for this process, independent of the Socket.
func (s *Socket) Listener() (net.Listener, error) { return Listener(s) }

// PacketConn makes a connection of a datagram socket for this process,
// independent of the Socket.
func (s *Socket) PacketConn() (net.PacketConn, error) { return PacketConn(s) }

// Close gives up this process' hold. Others who have the socket go on, and the
// path of a unix socket stays.
func (s *Socket) Close() error { return s.file.Close() }

// Bound tells whether a unix socket can still be reached by its path: the file
// there is the one it was bound to. A socket without a path always is.
func (s *Socket) Bound() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.path == nil {
		return true
	}
	now, err := os.Lstat(s.address)
	return err == nil && os.SameFile(s.path, now)
}

// Remove unlinks the socket's path, if the file there still is the one that it was
// bound to, ends the listening, also in processes that still hold a copy, and
// closes the socket. Only the last owner may call it.
//
// The path goes first: nobody finds a file there behind which nobody listens.
func (s *Socket) Remove() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.path != nil {
		err = unlink(s.address, s.path)
		s.path = nil
	}
	// It fails for a datagram socket, which does not listen.
	_ = Numbers([]syscall.Conn{s.file}, func(numbers []uintptr) error {
		return unix.Shutdown(int(numbers[0]), unix.SHUT_RDWR)
	})
	return errors.Join(err, s.file.Close())
}

// unlink removes path if it still is the file that was bound.
func unlink(path string, bound os.FileInfo) error {
	now, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !sameFile(bound, now) {
		return nil
	}
	return os.Remove(path)
}

// clearPath makes sure that a unix socket can be bound to path: it removes a dead
// socket of ours and refuses everything else that is there.
func clearPath(ctx context.Context, path string) error {
	if err := checkPath(path); err != nil {
		return err
	}
	found, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot listen on unix://%s: %w", path, reason(err))
	}
	if found.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("cannot listen on unix://%s: there is a file that is not a socket", path)
	}
	if owner := found.Sys().(*syscall.Stat_t).Uid; int(owner) != os.Geteuid() {
		return fmt.Errorf("cannot listen on unix://%s: the socket there belongs to user %d", path, owner)
	}
	if !dead(ctx, path) {
		return &InUseError{Network: "unix", Address: path, Err: syscall.EADDRINUSE}
	}
	if now, err := os.Lstat(path); err != nil || !sameFile(found, now) {
		return &InUseError{Network: "unix", Address: path, Err: syscall.EADDRINUSE}
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("cannot replace the dead socket unix://%s: %w", path, reason(err))
	}
	return nil
}

// sameFile tells whether two looks at a path saw one socket. The inode alone does
// not tell: file systems give the number of a removed file to the next one.
func sameFile(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime())
}

func checkPath(path string) error {
	switch {
	case path == "":
		return errors.New("cannot listen on a unix socket without a path")
	case path[0] == '@' || path[0] == 0:
		return fmt.Errorf("cannot listen on unix://%s: abstract sockets have no owner and no permissions", path)
	case len(path) > maxPath:
		return fmt.Errorf("cannot listen on unix://%s: the path has %d bytes, at most %d are possible", path, len(path), maxPath)
	}
	return nil
}

// dead tells whether nobody listens at path. Any answer but a refusal, a full
// queue included, means that somebody does.
func dead(ctx context.Context, path string) bool {
	dialer := net.Dialer{Timeout: probeLimit}
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// reason takes the operation and the address off an error of package net or os;
// our own messages say both.
func reason(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
