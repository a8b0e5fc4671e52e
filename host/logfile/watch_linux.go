package logfile

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/group"
)

// watch tells of changes to the log that other processes make, by inotify on its
// folder.
type watch struct {
	file   *os.File
	base   string
	wake   func()
	reader *group.Group
	lost   atomic.Bool // the folder may be gone
}

// newWatch gives nil if the system cannot watch the folder: it is not there, or
// the limits are used up.
func newWatch(path string, wake func()) *watch {
	number, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil
	}
	w := &watch{
		file: os.NewFile(uintptr(number), "inotify"), base: filepath.Base(path), wake: wake,
		reader: group.New(context.Background(), nil),
	}
	const changes = unix.IN_MODIFY | unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_DELETE | unix.IN_MOVE_SELF | unix.IN_DELETE_SELF | unix.IN_ONLYDIR
	if _, err := unix.InotifyAddWatch(number, filepath.Dir(path), changes); err != nil {
		_ = w.file.Close()
		return nil
	}
	w.reader.Go("log watch", func(context.Context) { w.read() })
	return w
}

func (w *watch) works() bool { return !w.lost.Load() }

func (w *watch) close() {
	_ = w.file.Close()
	_ = w.reader.Wait(context.Background())
}

func (w *watch) read() {
	events := make([]byte, 16<<10)
	for {
		n, err := w.file.Read(events)
		if err != nil {
			return
		}
		if w.concerns(events[:n]) {
			w.wake()
		}
	}
}

// concerns tells whether one of the events is about our log.
func (w *watch) concerns(events []byte) bool {
	const (
		maskAt   = 4
		lengthAt = 12
	)
	concerned := false
	for len(events) >= unix.SizeofInotifyEvent {
		mask := binary.NativeEndian.Uint32(events[maskAt:])
		end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(events[lengthAt:]))
		if end > len(events) {
			return true
		}
		name, _, _ := bytes.Cut(events[unix.SizeofInotifyEvent:end], []byte{0})
		events = events[end:]
		// The end of a folder is not told as long as somebody reads a file that was in
		// it, so the end of the log counts as that.
		if mask&(unix.IN_DELETE_SELF|unix.IN_MOVE_SELF|unix.IN_IGNORED) != 0 ||
			mask&unix.IN_DELETE != 0 && string(name) == w.base {
			w.lost.Store(true)
		}
		if len(name) == 0 || strings.HasPrefix(string(name), w.base) {
			concerned = true
		}
	}
	return concerned
}
