package inherit

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Peer asks the kernel who is at the other end of a unix socket: the process that
// connected, and for a client the one that listened; of a pair the one that made
// it.
func Peer(c syscall.Conn) (Credentials, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Credentials{}, fmt.Errorf("cannot read peer credentials: %w", err)
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(number uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(number), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err == nil {
		err = os.NewSyscallError("getsockopt", credErr)
	}
	if err != nil {
		return Credentials{}, fmt.Errorf("cannot read peer credentials: %w", err)
	}
	return Credentials{Pid: int(cred.Pid), UID: int(cred.Uid), GID: int(cred.Gid)}, nil
}
