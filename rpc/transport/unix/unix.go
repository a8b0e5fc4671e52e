package unix

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
)

// MaxPath is the longest socket path that the kernel takes, in bytes.
const MaxPath = 107

// Transport is stream sockets in the file system.
type Transport struct{}

// Scheme is "unix".
func (Transport) Scheme() string { return "unix" }

// Dial connects to the socket at path; the dialling side has no path of its own.
func (Transport) Dial(ctx context.Context, path string) (net.Conn, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	var d net.Dialer
	return d.DialContext(ctx, "unix", path)
}

// Listen makes a socket at path; closing the listener removes it. A socket that
// is there already is replaced only if it is ours and nobody answers on it.
func (Transport) Listen(ctx context.Context, path string) (net.Listener, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	var c net.ListenConfig
	ln, err := c.Listen(ctx, "unix", path)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return ln, err
	}
	if err := removeStale(ctx, path); err != nil {
		return nil, fmt.Errorf("cannot listen on unix://%s: %w", path, err)
	}
	return c.Listen(ctx, "unix", path)
}

func checkPath(path string) error {
	if len(path) > MaxPath {
		return fmt.Errorf("socket path has %d bytes, the most is %d: %s", len(path), MaxPath, path)
	}
	return nil
}

func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody else cleaned up
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("there is a file that is not a socket")
	}
	if !ownedByUs(info) {
		return errors.New("the socket there belongs to another user")
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err == nil {
		conn.Close()
		return errors.New("somebody listens there already")
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("cannot tell whether somebody listens there: %w", err)
	}
	return os.Remove(path)
}
