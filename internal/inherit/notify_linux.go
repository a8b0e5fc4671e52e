package inherit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// NotifyListener is the receiving end of NOTIFY_SOCKET.
type NotifyListener struct {
	conn  *net.UnixConn
	path  string
	bound os.FileInfo // nil for an abstract address, which has no file
}

// ListenNotify opens a notify socket at path, readable for our own user only. What
// may be in the way there is treated as [Listen] treats it. A path that begins with
// @ is an abstract address, which every user on this machine can reach.
func ListenNotify(ctx context.Context, path string) (*NotifyListener, error) {
	if !abstract(path) {
		if err := clearPath(ctx, path); err != nil {
			return nil, err
		}
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		return nil, refused("unixgram", path, err)
	}
	l := &NotifyListener{conn: conn, path: path}
	if err := l.prepare(0o600); err != nil {
		if !abstract(path) {
			err = errors.Join(err, os.Remove(path))
		}
		return nil, fmt.Errorf("cannot listen on unixgram://%s: %w", path, errors.Join(err, conn.Close()))
	}
	return l, nil
}

// HoldNotify goes on with the notify socket of a former master of this instance:
// what was sent meanwhile waits in it. path is what that one listened on. It works
// on a copy; c stays open.
func HoldNotify(c syscall.Conn, path string) (*NotifyListener, error) {
	packets, err := PacketConn(c)
	if err != nil {
		return nil, err
	}
	conn, ok := packets.(*net.UnixConn)
	if !ok || conn.LocalAddr().Network() != "unixgram" {
		return nil, errors.Join(fmt.Errorf("cannot receive notices on %s: it is a socket of another kind", packets.LocalAddr().Network()), packets.Close())
	}
	l := &NotifyListener{conn: conn, path: path}
	if err := l.prepare(0); err != nil {
		return nil, fmt.Errorf("cannot listen on unixgram://%s: %w", path, errors.Join(err, conn.Close()))
	}
	return l, nil
}

func abstract(path string) bool { return strings.HasPrefix(path, "@") }

// prepare makes the kernel name senders, and remembers the socket's file, whose mode
// it sets unless that is 0.
func (l *NotifyListener) prepare(mode os.FileMode) error {
	number, err := Number(l.conn)
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(int(number), unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	if abstract(l.path) {
		return nil
	}
	if mode != 0 {
		if err := os.Chmod(l.path, mode); err != nil {
			return err
		}
	}
	l.bound, err = os.Lstat(l.path)
	return err
}

// SyscallConn gives the socket, to be handed to a later master; see [HoldNotify].
func (l *NotifyListener) SyscallConn() (syscall.RawConn, error) { return l.conn.SyscallConn() }

// Pause makes [NotifyListener.Receive] return os.ErrDeadlineExceeded; what comes
// meanwhile stays in the socket. Resume undoes it.
func (l *NotifyListener) Pause() error { return l.conn.SetReadDeadline(time.Unix(1, 0)) }

// Resume makes Receive wait for notices again.
func (l *NotifyListener) Resume() error { return l.conn.SetReadDeadline(time.Time{}) }

// Path is what children get as NOTIFY_SOCKET.
func (l *NotifyListener) Path() string { return l.path }

// Receive waits for the next notice. Messages that are too long, that carry no
// sender or no line are skipped, descriptors that come along are closed. After
// [NotifyListener.Close] the error is net.ErrClosed.
func (l *NotifyListener) Receive() (Notice, error) {
	text := make([]byte, maxNotice)
	// There is room for the credentials, which the kernel writes first, and for
	// nothing else: it closes descriptors that do not fit.
	control := make([]byte, unix.CmsgSpace(unix.SizeofUcred))
	for {
		n, cn, flags, _, err := l.conn.ReadMsgUnix(text, control)
		if err != nil {
			return Notice{}, fmt.Errorf("cannot receive a notice: %w", err)
		}
		sender, ok := credentials(control[:cn])
		if !ok || flags&unix.MSG_TRUNC != 0 {
			continue
		}
		if lines := parseNotice(string(text[:n])); len(lines) > 0 {
			return Notice{Pid: int(sender.Pid), UID: int(sender.Uid), Lines: lines}, nil
		}
	}
}

func credentials(control []byte) (*unix.Ucred, bool) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil || len(messages) != 1 {
		return nil, false
	}
	sender, err := unix.ParseUnixCredentials(&messages[0])
	return sender, err == nil
}

// Close ends Receive and removes the socket's file.
func (l *NotifyListener) Close() error {
	if err := l.conn.Close(); err != nil {
		return err
	}
	if l.bound == nil {
		return nil
	}
	return unlink(l.path, l.bound)
}
