package supervise

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/group"
)

const (
	// pipeSize is asked for the pipe of a stream of which much comes, so that the
	// process seldom waits for us. The system lets one user have 64 MiB of pipes
	// before it makes new ones tiny, hence no more than this, and not for all.
	pipeSize  = 256 << 10
	chunkSize = 64 << 10
)

// A process that writes often, a line at a time, would wake us for each of them. So
// a stream that keeps coming is read now and then instead, with a pause that fits
// the size of its pipe.
const (
	soon     = 2 * time.Millisecond // between two pumps of a stream that keeps coming
	streak   = 3                    // of them make a pause worth while
	minPause = time.Millisecond
	maxPause = 10 * time.Millisecond
)

// pumps passes on the output of processes.
type pumps struct {
	tasks   *group.Group
	buffers sync.Pool
	poll    poll // of the pipes

	mu      sync.Mutex
	outputs map[uint64]*output
	lastID  uint64
}

func newPumps(tasks *group.Group) *pumps {
	p := &pumps{tasks: tasks, outputs: make(map[uint64]*output), buffers: sync.Pool{New: func() any {
		buf := make([]byte, chunkSize)
		return &buf
	}}}
	p.poll.name, p.poll.tasks = "outputs", tasks
	p.poll.next = func() time.Time { return time.Time{} }
	p.poll.turn = p.notice
	return p
}

// add puts an output into the poll, which does not look at it before it is armed.
func (p *pumps) add(o *output) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastID++
	o.id = p.lastID
	if err := o.onPipe(func(number int) error { return p.poll.add(number, 0, o.id) }); err != nil {
		return err
	}
	p.outputs[o.id] = o
	return nil
}

// arm makes the poll tell once when there is something to be read.
func (p *pumps) arm(o *output) error {
	return o.onPipe(func(number int) error { return p.poll.arm(number, unix.EPOLLIN, o.id) })
}

// remove takes an output out of the poll. Closing its pipe would not do: another
// process may hold it as well.
func (p *pumps) remove(o *output) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.outputs, o.id)
	return o.onPipe(p.poll.remove)
}

// notice is told where something has come.
func (p *pumps) notice(events []unix.EpollEvent) {
	for _, e := range events {
		if o := p.find(idOf(e)); o != nil {
			o.notice()
		}
	}
}

func (p *pumps) find(id uint64) *output {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.outputs[id]
}

// pump passes on what has come, until nothing comes for now or it is told to leave.
func (o *output) pump(context.Context) {
	buf := o.pumps.buffers.Get().(*[]byte)
	defer o.pumps.buffers.Put(buf)
	o.begin()
	got := 0 // since the last pause
	for {
		switch o.ordered() {
		case orderHalt:
			o.settle(phaseStill)
			return
		case orderFinish:
			o.drain(*buf)
			o.end()
			return
		}
		n, err := o.read(*buf)
		switch {
		case n > 0:
			o.write((*buf)[:n])
			got += n
		case err != unix.EAGAIN:
			o.end()
			return
		}
		if n == len(*buf) {
			continue
		}
		if got == 0 || o.pace.pause == 0 {
			o.pace.left = time.Now()
			o.settle(phaseWaiting)
			return
		}
		o.relax(got)
		got = 0
	}
}

// begin finds the pace: a stream that is noticed again and again keeps coming.
func (o *output) begin() {
	if o.pace.left.IsZero() || time.Since(o.pace.left) > soon {
		o.pace.streak, o.pace.pause = 0, 0
		return
	}
	if o.pace.streak++; o.pace.streak == streak {
		o.pace.pause = minPause
		// A smaller pipe does as well.
		_ = o.onPipe(func(number int) error {
			_, err := unix.FcntlInt(uintptr(number), unix.F_SETPIPE_SZ, pipeSize)
			return err
		})
	}
}

// relax lets the pipe fill for a while, if that is not too fast for a pause.
func (o *output) relax(got int) {
	switch {
	case got > pipeSize/2:
		o.pace.pause = max(minPause, o.pace.pause/2)
	case got < pipeSize/8:
		o.pace.pause = min(maxPause, o.pace.pause*2)
	}
	timer := time.NewTimer(o.pace.pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-o.hurry:
	}
}

func (o *output) read(buf []byte) (n int, err error) {
	err = o.onPipe(func(number int) error {
		var readErr error
		n, readErr = retry(func() (int, error) { return unix.Read(number, buf) })
		return readErr
	})
	return n, err
}

// drain takes what is in the pipe now, and no more than that: another process
// may still write to it, and go on to do so.
func (o *output) drain(buf []byte) {
	left := 0
	// An error means that the pipe is broken; there is nothing to take.
	_ = o.onPipe(func(number int) (err error) {
		left, err = unix.IoctlGetInt(number, unix.TIOCINQ)
		return err
	})
	for left > 0 {
		n, err := o.read(buf[:min(left, len(buf))])
		if n <= 0 || err != nil {
			return
		}
		o.write(buf[:n])
		left -= n
	}
}

func (o *output) onPipe(do func(number int) error) error {
	raw, err := o.pipe.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(number uintptr) { inner = do(int(number)) }); err != nil {
		return err
	}
	return inner
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
	_ = o.pumps.remove(o)
	_ = o.pipe.Close()
	o.settle(phaseOver)
}

func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}
