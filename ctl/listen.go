package ctl

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"

	"github.com/dserver/dserver/internal/inherit"
)

// maxSocketPath is what fits in the address of a unix socket, in bytes.
const maxSocketPath = 107

// Listen opens the control socket at path with mode 0600. A socket there that
// still answers is refused with [ErrConflict], one that nobody serves any more is
// replaced; anything else at path is left alone and refused.
//
// Closing the listener removes the file. Who hands the socket to another
// process calls SetUnlinkOnClose(false) first.
func Listen(path string) (*net.UnixListener, error) {
	ln, err := listen(path)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for control on %s: %w", path, err)
	}
	return ln, nil
}

func listen(path string) (*net.UnixListener, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	if err := clearPath(path); err != nil {
		return nil, err
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, plain(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return ln, nil
}

func checkPath(path string) error {
	if len(path) > maxSocketPath {
		return Problemf(ErrInvalid, "the path has %d bytes, a unix socket takes at most %d", len(path), maxSocketPath).
			WithHint("choose a shorter folder with --runtime-dir")
	}
	return nil
}

// clearPath removes a socket that nobody serves.
func clearPath(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return Problemf(ErrConflict, "there is something that is not a socket")
	case !mine(info):
		return Problemf(ErrDenied, "the socket there belongs to another user")
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	switch {
	case err == nil:
		defer conn.Close()
		p, _ := inherit.Peer(conn) // pid 0 where the platform does not tell
		return Problemf(ErrConflict, "process %d answers there", p.Pid)
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	default:
		return plain(err)
	}
}

// plain drops the "dial unix PATH:" that the net package puts before a cause
// whose path the caller names itself.
func plain(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}
