package probe

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// appearance waits until something is done to a file of a name, there or not.
type appearance struct {
	name   string
	events *os.File
	stop   func() bool
	buf    []byte
}

// awaitFile watches the folder of a path. Where that is not possible, such as when
// there is no such folder yet, time alone counts.
func awaitFile(ctx context.Context, path string) waiter {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return sleeper{}
	}
	events := os.NewFile(uintptr(fd), "inotify")
	_, err = unix.InotifyAddWatch(fd, filepath.Dir(path), unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_ATTRIB|unix.IN_ONLYDIR)
	if err == nil {
		err = events.SetReadDeadline(time.Time{})
	}
	if err != nil {
		_ = events.Close()
		return sleeper{}
	}
	a := &appearance{name: filepath.Base(path), events: events, buf: make([]byte, 4096)}
	a.stop = context.AfterFunc(ctx, func() { _ = events.SetReadDeadline(time.Unix(1, 0)) })
	return a
}

func (a *appearance) close() {
	a.stop()
	_ = a.events.Close()
}

func (a *appearance) wait(ctx context.Context, pause time.Duration) bool {
	deadline := time.Now().Add(pause)
	if err := a.events.SetReadDeadline(deadline); err != nil {
		return sleeper{}.wait(ctx, pause)
	}
	for ctx.Err() == nil {
		n, err := a.events.Read(a.buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return false
		}
		if err != nil {
			return sleeper{}.wait(ctx, time.Until(deadline))
		}
		if named(a.buf[:n], a.name) {
			return true
		}
	}
	return false
}

// named tells whether one of the events is about a file of that name.
func named(events []byte, name string) bool {
	for len(events) >= unix.SizeofInotifyEvent {
		end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(events[12:]))
		if end > len(events) {
			return false
		}
		// The kernel fills names up with zero bytes.
		if string(bytes.TrimRight(events[unix.SizeofInotifyEvent:end], "\x00")) == name {
			return true
		}
		events = events[end:]
	}
	return false
}
