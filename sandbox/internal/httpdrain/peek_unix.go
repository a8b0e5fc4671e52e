//go:build unix

package httpdrain

import "golang.org/x/sys/unix"

// peek tells whether a byte can be read from fd, and leaves it there.
func peek(fd uintptr) bool {
	var b [1]byte
	n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err == nil && n > 0
}
