//go:build !linux

package inherit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"
)

func unsupported(what string) error {
	return fmt.Errorf("cannot %s on %s: %w", what, runtime.GOOS, errors.ErrUnsupported)
}

// Dup is not supported on this system.
func Dup(syscall.Conn, string) (*os.File, error) { return nil, unsupported("copy a descriptor") }

func adopt(int, string) (*os.File, error) { return nil, unsupported("take over a descriptor") }

func checkOpen(int) error { return unsupported("take over a descriptor") }

// Listener is not supported on this system.
func Listener(syscall.Conn) (net.Listener, error) {
	return nil, unsupported("listen on an inherited socket")
}

// PacketConn is not supported on this system.
func PacketConn(syscall.Conn) (net.PacketConn, error) {
	return nil, unsupported("use an inherited packet socket")
}

// Conn is not supported on this system.
func Conn(syscall.Conn) (net.Conn, error) { return nil, unsupported("use an inherited connection") }

// Socket cannot be made on this system.
type Socket struct{}

// Listen is not supported on this system.
func Listen(context.Context, string, string) (*Socket, error) {
	return nil, unsupported("hold a listening socket")
}

// Hold is not supported on this system.
func Hold(syscall.Conn) (*Socket, error) { return nil, unsupported("hold a listening socket") }

// Bound is false.
func (*Socket) Bound() bool { return false }

// PacketConn is not supported on this system.
func (*Socket) PacketConn() (net.PacketConn, error) {
	return nil, unsupported("use a packet socket")
}

// Network is empty.
func (*Socket) Network() string { return "" }

// Address is empty.
func (*Socket) Address() string { return "" }

// String is empty.
func (*Socket) String() string { return "" }

// SyscallConn is not supported on this system.
func (*Socket) SyscallConn() (syscall.RawConn, error) { return nil, unsupported("hand over a socket") }

// Listener is not supported on this system.
func (*Socket) Listener() (net.Listener, error) { return nil, unsupported("hold a listening socket") }

// Close does nothing.
func (*Socket) Close() error { return nil }

// Remove does nothing.
func (*Socket) Remove() error { return nil }

// NotifyListener cannot be made on this system.
type NotifyListener struct{}

// ListenNotify is not supported on this system.
func ListenNotify(context.Context, string) (*NotifyListener, error) {
	return nil, unsupported("listen for notices")
}

// HoldNotify is not supported on this system.
func HoldNotify(syscall.Conn, string) (*NotifyListener, error) {
	return nil, unsupported("listen for notices")
}

// SyscallConn is not supported on this system.
func (*NotifyListener) SyscallConn() (syscall.RawConn, error) {
	return nil, unsupported("hand over a socket")
}

// Pause is not supported on this system.
func (*NotifyListener) Pause() error { return unsupported("listen for notices") }

// Resume is not supported on this system.
func (*NotifyListener) Resume() error { return unsupported("listen for notices") }

// Path is empty.
func (*NotifyListener) Path() string { return "" }

// Receive is not supported on this system.
func (*NotifyListener) Receive() (Notice, error) {
	return Notice{}, unsupported("listen for notices")
}

// Close does nothing.
func (*NotifyListener) Close() error { return nil }

// Pair is not supported on this system.
func Pair() (*net.UnixConn, *os.File, error) { return nil, nil, unsupported("make a socket pair") }

// PacketPair is not supported on this system.
func PacketPair() (*net.UnixConn, *os.File, error) {
	return nil, nil, unsupported("make a socket pair")
}

// SendFile is not supported on this system.
func SendFile(*net.UnixConn, string, syscall.Conn) error { return unsupported("send a descriptor") }

// ReceiveFile is not supported on this system.
func ReceiveFile(*net.UnixConn) (string, *os.File, error) {
	return "", nil, unsupported("receive a descriptor")
}

// CloseOnExec does nothing: what needs it does not run on this system.
func CloseOnExec() error { return nil }

// Peer is not supported on this system.
func Peer(syscall.Conn) (Credentials, error) {
	return Credentials{}, unsupported("read peer credentials")
}

// Fetch is not supported on this system.
func Fetch(pid, number int) (*os.File, error) { return nil, unsupported("fetch a descriptor") }
