package supervise

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// pipeSize is asked for each output pipe, so that a process seldom waits for
	// us. The system lets one user have 64 MiB of pipes before it makes new ones
	// tiny, hence no more than this.
	pipeSize  = 256 << 10
	chunkSize = 64 << 10
)

// output is one captured stream of a process.
type output struct {
	pipe  *os.File // read end, in the poller
	lines splitter
	done  chan struct{} // closed when all was passed on
}

// newOutput makes the pipe of a stream. theirs is for the process.
func newOutput(sink Sink, t *tail) (o *output, theirs *os.File, err error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	// A smaller pipe does as well.
	_, _ = unix.FcntlInt(uintptr(ends[0]), unix.F_SETPIPE_SZ, pipeSize)
	theirs, err = writeEnd(ends[1])
	if err == nil {
		err = os.NewSyscallError("fcntl", unix.SetNonblock(ends[0], true))
	}
	if err != nil {
		return nil, nil, errors.Join(err, unix.Close(ends[0]))
	}
	o = &output{pipe: os.NewFile(uintptr(ends[0]), "output"), done: make(chan struct{})}
	o.lines.emit = func(line []byte, cut bool) {
		t.add(line)
		if sink != nil {
			sink(line, cut)
		}
	}
	return o, theirs, nil
}

// writeEnd gives the end of a pipe that a process writes to. It is opened for
// reading as well: so the pipe has a reader as long as the process lives, and the
// process is not killed by SIGPIPE when we are gone.
func writeEnd(number int) (*os.File, error) {
	path := fmt.Sprintf("/proc/self/fd/%d", number)
	// Package os would set it to nonblocking mode, which programs do not expect.
	opened, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, errors.Join(&os.PathError{Op: "open", Path: path, Err: err}, unix.Close(number))
	}
	return os.NewFile(uintptr(opened), "output"), unix.Close(number)
}

// pump passes on what comes until the stream ends or somebody calls finish.
func (o *output) pump(buffers *sync.Pool) {
	defer close(o.done)
	defer o.pipe.Close()
	defer o.lines.end()
	raw, err := o.pipe.SyscallConn()
	if err != nil {
		return
	}
	for {
		buf, n, err := readChunk(raw, buffers)
		if n > 0 {
			o.lines.write((*buf)[:n])
		}
		if buf != nil {
			buffers.Put(buf)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			o.drain(raw, buffers)
		}
		if err != nil || n == 0 {
			return
		}
	}
}

// readChunk waits until there is something to read. It takes a buffer only then:
// a thousand quiet processes need none.
func readChunk(raw syscall.RawConn, buffers *sync.Pool) (buf *[]byte, n int, err error) {
	var readErr error
	err = raw.Read(func(number uintptr) bool {
		buf = buffers.Get().(*[]byte)
		n, readErr = retry(func() (int, error) { return unix.Read(int(number), *buf) })
		if readErr != unix.EAGAIN {
			return true
		}
		buffers.Put(buf)
		buf, n, readErr = nil, 0, nil
		return false
	})
	return buf, max(n, 0), errors.Join(err, readErr)
}

// drain takes what is in the pipe now, and no more than that: another process
// may still write to it, and go on to do so.
func (o *output) drain(raw syscall.RawConn, buffers *sync.Pool) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	// An error means that the pipe is closed or broken; there is nothing to take.
	_ = raw.Control(func(number uintptr) {
		left, err := unix.IoctlGetInt(int(number), unix.TIOCINQ)
		for err == nil && left > 0 {
			var n int
			n, err = retry(func() (int, error) { return unix.Read(int(number), (*buf)[:min(left, chunkSize)]) })
			if n <= 0 {
				return
			}
			o.lines.write((*buf)[:n])
			left -= n
		}
	})
}

// finish ends the pump after the process has exited, whoever else still holds
// the pipe, and returns when all was passed on.
func (o *output) finish() {
	// It fails if the pump has seen the end of the stream and closed the pipe.
	_ = o.pipe.SetReadDeadline(time.Unix(1, 0))
	<-o.done
}

func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}
