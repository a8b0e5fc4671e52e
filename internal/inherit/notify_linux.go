package inherit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// NotifyListener is the receiving end of NOTIFY_SOCKET.
type NotifyListener struct {
	conn  *net.UnixConn
	path  string
	bound os.FileInfo
}

// ListenNotify opens a notify socket at path, readable for our own user only. What
// may be in the way there is treated as [Listen] treats it.
func ListenNotify(ctx context.Context, path string) (*NotifyListener, error) {
	if err := clearPath(ctx, path); err != nil {
		return nil, err
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		return nil, fmt.Errorf("cannot listen on unixgram://%s: %w", path, reason(err))
	}
	l := &NotifyListener{conn: conn, path: path}
	if err := l.prepare(); err != nil {
		return nil, fmt.Errorf("cannot listen on unixgram://%s: %w", path, errors.Join(err, conn.Close(), os.Remove(path)))
	}
	return l, nil
}

func (l *NotifyListener) prepare() error {
	if err := os.Chmod(l.path, 0o600); err != nil {
		return err
	}
	bound, err := os.Lstat(l.path)
	if err != nil {
		return err
	}
	l.bound = bound
	number, err := Number(l.conn)
	if err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(number), unix.SOL_SOCKET, unix.SO_PASSCRED, 1))
}

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
	return unlink(l.path, l.bound)
}
