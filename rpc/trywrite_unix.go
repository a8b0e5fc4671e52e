//go:build unix

package rpc

import (
	"errors"
	"io"
	"syscall"
)

// socketWriter writes to a non-blocking socket once and takes no for an answer.
// One goroutine at a time uses it.
type socketWriter struct {
	raw   syscall.RawConn
	once  func(fd uintptr) bool // a field, so that no call allocates it
	batch []byte
	n     int
	err   error
}

func newSocketWriter(c syscall.Conn) tryWriter {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	w := &socketWriter{raw: raw}
	w.once = w.writeOnce
	return w
}

// TryWrite returns how many bytes the socket took; 0 is no error.
func (w *socketWriter) TryWrite(b []byte) (int, error) {
	w.batch, w.n, w.err = b, 0, nil
	err := w.raw.Write(w.once)
	w.batch = nil
	if err == nil {
		err = w.err
	}
	return w.n, err
}

// writeOnce reports true in any case: false would make the runtime wait until
// the socket is writable.
func (w *socketWriter) writeOnce(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), w.batch)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return true
		case err == nil && n == 0 && len(w.batch) > 0:
			w.err = io.ErrUnexpectedEOF
		default:
			w.n, w.err = max(n, 0), err
		}
		return true
	}
}
