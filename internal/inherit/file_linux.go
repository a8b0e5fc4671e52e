package inherit

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Dup gives a copy of c's descriptor that is closed on exec. It shares the open
// file with c, whose blocking mode it neither changes now nor later, and it stays
// out of the poller: it is for holding and handing on, not for reading.
func Dup(c syscall.Conn, name string) (*os.File, error) {
	number, f, err := placeholder(name)
	if err != nil {
		return nil, fmt.Errorf("cannot copy the descriptor of %s: %w", name, err)
	}
	err = Numbers([]syscall.Conn{c}, func(source []uintptr) error {
		return unix.Dup3(int(source[0]), number, unix.O_CLOEXEC)
	})
	if err != nil {
		return nil, fmt.Errorf("cannot copy the descriptor of %s: %w", name, errors.Join(err, f.Close()))
	}
	return f, nil
}

// adopt makes a file of a descriptor that nobody in this process owns yet. The
// number is closed afterwards, also if that fails.
func adopt(number int, name string) (*os.File, error) {
	defer unix.Close(number)
	held, f, err := placeholder(name)
	if err != nil {
		return nil, err
	}
	if err := unix.Dup3(number, held, unix.O_CLOEXEC); err != nil {
		return nil, errors.Join(os.NewSyscallError("dup3", err), f.Close())
	}
	return f, nil
}

// placeholder makes a file whose descriptor is to be replaced by another one.
// os.NewFile decides at once, by O_NONBLOCK, whether a file joins the poller, so
// it is shown something harmless that blocks.
func placeholder(name string) (int, *os.File, error) {
	number, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return -1, nil, os.NewSyscallError("eventfd", err)
	}
	return number, os.NewFile(uintptr(number), name), nil
}

func checkOpen(number int) error {
	_, err := unix.FcntlInt(uintptr(number), unix.F_GETFD, 0)
	return os.NewSyscallError("fcntl", err)
}

// Listener makes a listener of a socket that may be shared with other processes.
// It works on a copy of its own, so c stays open, and it never unlinks the
// path of a unix socket.
func Listener(c syscall.Conn) (net.Listener, error) {
	ln, err := withCopy(c, net.FileListener)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on an inherited socket: %w", err)
	}
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	return ln, nil
}

// PacketConn does for a datagram socket what [Listener] does for a stream socket.
func PacketConn(c syscall.Conn) (net.PacketConn, error) {
	conn, err := withCopy(c, net.FilePacketConn)
	if err != nil {
		return nil, fmt.Errorf("cannot use an inherited packet socket: %w", err)
	}
	return conn, nil
}

// Conn does for a connected socket what [Listener] does for a listening one.
func Conn(c syscall.Conn) (net.Conn, error) {
	conn, err := withCopy(c, net.FileConn)
	if err != nil {
		return nil, fmt.Errorf("cannot use an inherited connection: %w", err)
	}
	return conn, nil
}

// withCopy calls one of the net.File functions with a file that stays out of the
// poller; for such a file they do not touch the blocking mode but to set
// O_NONBLOCK.
func withCopy[T any](c syscall.Conn, of func(*os.File) (T, error)) (T, error) {
	f, err := Dup(c, "inherited socket")
	if err != nil {
		var none T
		return none, err
	}
	defer f.Close()
	return of(f)
}

// CloseOnExec makes sure that no child gets a descriptor that it was not given:
// all that this process has from 3 on are closed on exec afterwards. It is for
// the beginning of a program whose starter may have left something open in it.
func CloseOnExec() error {
	err := unix.CloseRange(firstNumber, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC)
	if err == nil {
		return nil
	}
	// Linux 5.10 knows neither the flag nor, under some filters, the call.
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("cannot find the open descriptors: %w", err)
	}
	for _, entry := range entries {
		if number, err := strconv.Atoi(entry.Name()); err == nil && number >= firstNumber {
			unix.CloseOnExec(number)
		}
	}
	return nil
}
