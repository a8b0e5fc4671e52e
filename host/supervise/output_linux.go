package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/group"
)

const (
	// pipeSize is asked for each output pipe, so that a process seldom waits for
	// us. The system lets one user have 64 MiB of pipes before it makes new ones
	// tiny, hence no more than this.
	pipeSize  = 256 << 10
	chunkSize = 64 << 10
)

// pumps passes on the output of processes.
type pumps struct {
	tasks   *group.Group
	buffers sync.Pool
}

func newPumps(tasks *group.Group) *pumps {
	return &pumps{tasks: tasks, buffers: sync.Pool{New: func() any {
		buf := make([]byte, chunkSize)
		return &buf
	}}}
}

// output is one captured stream of a process.
//
// It is started, may be stopped and started again, and comes to its end by
// itself, when nobody can write to the pipe any more, or by finish. One goroutine
// at a time calls these methods.
type output struct {
	name  string // of the process
	pumps *pumps
	pipe  *os.File // read end, in the poller
	sink  Sink     // may be nil
	tail  tailFeed
	done  chan struct{} // closed when the pump has ended; nil while it is not started
	over  bool          // all was passed on and the pipe is closed; valid once done is closed
}

// open makes the pipe of a stream. theirs is for the process.
func (p *pumps) open(name string, sink Sink, t *tail) (o *output, theirs *os.File, err error) {
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
	return p.adopt(name, os.NewFile(uintptr(ends[0]), "output"), sink, t, nil), theirs, nil
}

// adopt takes over the pipe of a stream, a read end in nonblocking mode. rest is
// the unfinished line that the Sink goes on with.
func (p *pumps) adopt(name string, pipe *os.File, sink Sink, t *tail, rest []byte) *output {
	o := &output{name: name, pumps: p, pipe: pipe, sink: sink, tail: tailFeed{tail: t}}
	o.tail.hold(rest)
	return o
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

// start begins to pass on what comes, or goes on after stop.
func (o *output) start() {
	if o.over {
		return
	}
	// It fails if the pipe is not in the poller, and then reading does, too.
	_ = o.pipe.SetReadDeadline(time.Time{})
	o.done = make(chan struct{})
	o.pumps.tasks.Go("output of "+o.name, func(context.Context) { o.pump() })
}

// stop returns when nothing is read any more. What was read has been passed on,
// what the process writes stays in the pipe, and rest is the unfinished line. It
// tells false if the stream has come to its end.
func (o *output) stop() (open bool) {
	o.interrupt()
	return !o.over
}

// finish is for after the exit: it takes what is in the pipe and ends the stream,
// whoever else still holds the pipe. It returns when all was passed on.
func (o *output) finish() {
	o.interrupt()
	if o.over {
		return
	}
	if raw, err := o.pipe.SyscallConn(); err == nil {
		o.drain(raw)
	}
	o.end()
}

// close lets go of a stream that is not started, or stopped; nothing more is
// passed on.
func (o *output) close() error {
	if o.over {
		return nil
	}
	o.over = true
	return o.pipe.Close()
}

// rest is the unfinished line of a stream that is stopped.
func (o *output) rest() []byte {
	if o.sink == nil {
		return o.tail.part
	}
	return o.sink.Rest()
}

func (o *output) interrupt() {
	if o.done == nil {
		return
	}
	// It fails if the pump has seen the end of the stream and closed the pipe.
	_ = o.pipe.SetReadDeadline(time.Unix(1, 0))
	<-o.done
	o.done = nil
}

// pump passes on what comes until the stream ends or it is interrupted.
func (o *output) pump() {
	defer close(o.done)
	raw, err := o.pipe.SyscallConn()
	for err == nil {
		var n int
		if n, err = o.readChunk(raw); n == 0 && err == nil {
			err = os.ErrClosed
		}
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		o.end()
	}
}

func (o *output) write(chunk []byte) {
	o.tail.write(chunk)
	if o.sink != nil {
		o.sink.Write(chunk)
	}
}

func (o *output) end() {
	o.tail.finish()
	if o.sink != nil {
		o.sink.Finish()
	}
	// Everything has been read; there is nothing to lose.
	_ = o.close()
}

// readChunk waits until there is something to read, and passes it on. It takes a
// buffer only then: a thousand quiet processes need none.
func (o *output) readChunk(raw syscall.RawConn) (n int, err error) {
	var buf *[]byte
	var readErr error
	err = raw.Read(func(number uintptr) bool {
		buf = o.pumps.buffers.Get().(*[]byte)
		n, readErr = retry(func() (int, error) { return unix.Read(int(number), *buf) })
		if readErr != unix.EAGAIN {
			return true
		}
		o.pumps.buffers.Put(buf)
		buf, n, readErr = nil, 0, nil
		return false
	})
	if buf == nil {
		return 0, err
	}
	defer o.pumps.buffers.Put(buf)
	if n > 0 {
		o.write((*buf)[:n])
	}
	return max(n, 0), errors.Join(err, readErr)
}

// drain takes what is in the pipe now, and no more than that: another process
// may still write to it, and go on to do so.
func (o *output) drain(raw syscall.RawConn) {
	buf := o.pumps.buffers.Get().(*[]byte)
	defer o.pumps.buffers.Put(buf)
	// An error means that the pipe is closed or broken; there is nothing to take.
	_ = raw.Control(func(number uintptr) {
		left, err := unix.IoctlGetInt(int(number), unix.TIOCINQ)
		for err == nil && left > 0 {
			var n int
			n, err = retry(func() (int, error) { return unix.Read(int(number), (*buf)[:min(left, chunkSize)]) })
			if n <= 0 {
				return
			}
			o.write((*buf)[:n])
			left -= n
		}
	})
}

func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}
