package inherit

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxLabel is the longest label of a sent descriptor, in bytes.
const maxLabel = 1024

// maxSent is how many descriptors one message can carry on Linux.
const maxSent = 253

// Pair makes two connected stream sockets: one for this process, one to be handed
// to a child and then closed here. Both are closed on exec.
func Pair() (ours *net.UnixConn, theirs *os.File, err error) {
	return pair(unix.SOCK_STREAM)
}

// PacketPair makes a pair as [Pair] does, that keeps messages apart and in order
// (SOCK_SEQPACKET); [SendFile] and [ReceiveFile] work on it.
func PacketPair() (ours *net.UnixConn, theirs *os.File, err error) {
	return pair(unix.SOCK_SEQPACKET)
}

func pair(kind int) (*net.UnixConn, *os.File, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	ours, err := unixConn(ends[0])
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a socket pair: %w", errors.Join(err, unix.Close(ends[1])))
	}
	theirs, err := adopt(ends[1], "socketpair")
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a socket pair: %w", errors.Join(err, ours.Close()))
	}
	return ours, theirs, nil
}

func unixConn(number int) (*net.UnixConn, error) {
	f, err := adopt(number, "socketpair")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	return conn.(*net.UnixConn), nil
}

// SendFile sends c's descriptor with a label of 1 to 1024 bytes in one message
// over one end of a [PacketPair]. c stays open here. The connection's write deadline
// bounds how long it waits.
func SendFile(over *net.UnixConn, label string, c syscall.Conn) error {
	if label == "" || len(label) > maxLabel {
		return fmt.Errorf("cannot send a descriptor: its label must have 1 to %d bytes, not %d", maxLabel, len(label))
	}
	err := Numbers([]syscall.Conn{c}, func(numbers []uintptr) error {
		_, _, err := over.WriteMsgUnix([]byte(label), unix.UnixRights(int(numbers[0])), nil)
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot send the descriptor of %q: %w", label, err)
	}
	return nil
}

// ReceiveFile takes the next descriptor and its label from one end of a
// [PacketPair]. The file is closed on exec and as [Dup] makes it. A message that
// is not one label and one descriptor is an error, and nothing of it stays open.
// io.EOF means that the other end is closed; the read deadline bounds how
// long it waits.
func ReceiveFile(over *net.UnixConn) (string, *os.File, error) {
	label := make([]byte, maxLabel+1)
	control := make([]byte, unix.CmsgSpace(4*maxSent))
	n, cn, flags, _, err := over.ReadMsgUnix(label, control)
	numbers := rights(control[:cn])
	if errors.Is(err, io.EOF) && len(numbers) == 0 {
		return "", nil, io.EOF
	}
	if err == nil {
		err = checkReceived(n, flags, len(numbers))
	}
	if err != nil {
		for _, number := range numbers {
			err = errors.Join(err, unix.Close(number))
		}
		return "", nil, fmt.Errorf("cannot receive a descriptor: %w", err)
	}
	f, err := adopt(numbers[0], string(label[:n]))
	if err != nil {
		return "", nil, fmt.Errorf("cannot receive a descriptor: %w", err)
	}
	return string(label[:n]), f, nil
}

func checkReceived(n, flags, numbers int) error {
	switch {
	case n > maxLabel || flags&unix.MSG_TRUNC != 0:
		return fmt.Errorf("the label is longer than %d bytes", maxLabel)
	case flags&unix.MSG_CTRUNC != 0:
		return errors.New("the system had no room for it")
	case numbers != 1:
		return fmt.Errorf("the message carries %d descriptors, not 1", numbers)
	}
	return nil
}

func rights(control []byte) []int {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	var numbers []int
	for i := range messages {
		n, err := unix.ParseUnixRights(&messages[i])
		if err == nil {
			numbers = append(numbers, n...)
		}
	}
	return numbers
}
