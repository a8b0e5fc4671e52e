package supervise

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/inherit"
)

// output is one captured stream of a process.
//
// It is started, may be halted and started again, and comes to its end by itself,
// when nobody can write to the pipe any more, or after finish. A stream of which
// nothing comes has no goroutine and no buffer.
type output struct {
	task  string // what its pump is called
	pumps *pumps
	id    uint64   // in the poll
	pipe  *os.File // read end, nonblocking, not in the runtime's poller
	sink  Sink     // may be nil
	tail  tailFeed
	pace  pace

	// hurry ends a pause of the pump.
	hurry chan struct{}

	mu    sync.Mutex
	phase phase
	order order
	ended chan struct{} // while pumping: closed when that ends
	over  func()        // called once at the end of the stream
}

// phase is what becomes of a stream now.
type phase int

const (
	phaseStill   phase = iota // not started, or halted: what comes stays in the pipe
	phaseWaiting              // the poll tells when something comes
	phasePumping              // a goroutine passes on what comes
	phaseOver                 // all was passed on; the pipe is closed
)

// order is what the pump is to do when it next looks.
type order int

const (
	orderGoOn order = iota
	orderHalt
	orderFinish
)

// open makes the pipe of a stream. theirs is for the process.
func (p *pumps) open(name string, sink Sink, t *tail) (o *output, theirs *os.File, err error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	// Package os takes a descriptor into its poller if it is nonblocking by then.
	pipe := os.NewFile(uintptr(ends[0]), "output")
	theirs, err = writeEnd(ends[1])
	if err == nil {
		o, err = p.enroll(name, pipe, sink, t)
	}
	if err != nil {
		if theirs != nil {
			err = errors.Join(err, theirs.Close())
		}
		return nil, nil, errors.Join(err, pipe.Close())
	}
	return o, theirs, nil
}

// adopt goes on with the stream of a process that another Spawner has started. It
// works on a copy of pipe, the read end. rest is the unfinished line; the Sink gets
// it first, and so goes on with it.
func (p *pumps) adopt(name string, pipe syscall.Conn, sink Sink, t *tail, rest []byte) (*output, error) {
	own, err := inherit.Dup(pipe, "output")
	if err != nil {
		return nil, err
	}
	o, err := p.enroll(name, own, sink, t)
	if err != nil {
		return nil, errors.Join(err, own.Close())
	}
	if len(rest) > 0 {
		o.write(rest)
	}
	return o, nil
}

// enroll makes an output of a pipe that is not in the runtime's poller.
func (p *pumps) enroll(name string, pipe *os.File, sink Sink, t *tail) (*output, error) {
	err := inherit.Numbers([]syscall.Conn{pipe}, func(numbers []uintptr) error {
		return os.NewSyscallError("fcntl", unix.SetNonblock(int(numbers[0]), true))
	})
	if err != nil {
		return nil, err
	}
	o := &output{
		task: "output of " + name, pumps: p, pipe: pipe, sink: sink,
		tail: tailFeed{tail: t}, hurry: make(chan struct{}, 1),
	}
	if err := p.add(o); err != nil {
		return nil, err
	}
	return o, nil
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

// start begins to pass on what comes, or goes on after halt. over is called once,
// by a goroutine of the stream, when the stream has come to its end and all was
// passed on; nil leaves what an earlier start has set.
func (o *output) start(over func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if over != nil {
		o.over = over
	}
	switch {
	case o.phase == phaseStill:
		o.wait()
	case o.phase == phasePumping && o.order == orderHalt:
		o.order = orderGoOn
	}
}

// halt makes that nothing more is read. Once the channel is closed, what was read
// has been passed on, what the process writes stays in the pipe, and rest is the
// unfinished line. A Sink that blocks holds that up.
func (o *output) halt() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.phase == phasePumping {
		o.command(orderHalt)
		return o.ended
	}
	if o.phase == phaseWaiting {
		o.phase = phaseStill
	}
	halted := make(chan struct{})
	close(halted)
	return halted
}

// isOver tells whether the stream has come to its end.
func (o *output) isOver() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.phase == phaseOver
}

// finish is for after the exit: what is in the pipe now is still passed on, and
// then the stream is over, whoever else holds the pipe. It does not wait for that.
func (o *output) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch o.phase {
	case phasePumping:
		o.command(orderFinish)
	case phaseStill, phaseWaiting:
		o.order = orderFinish
		o.launch()
	}
}

// close lets go of a stream that is not started, or halted; nothing more is passed
// on.
func (o *output) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.phase == phaseOver {
		return nil
	}
	o.phase = phaseOver
	return errors.Join(o.pumps.remove(o), o.pipe.Close())
}

// rest is the unfinished line of a stream that is halted.
func (o *output) rest() []byte {
	if o.sink == nil {
		return o.tail.part
	}
	return o.sink.Rest()
}

// command tells the pump; an order to finish stays one.
func (o *output) command(what order) {
	o.order = max(o.order, what)
	select {
	case o.hurry <- struct{}{}:
	default:
	}
}

// wait leaves it to the poll to call notice when something comes.
func (o *output) wait() {
	o.phase = phaseWaiting
	// It fails only for a descriptor that is not in the poll, and this one is.
	_ = o.pumps.arm(o)
}

// notice is called when something has come, or nobody can write any more.
func (o *output) notice() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.phase == phaseWaiting {
		o.launch()
	}
}

func (o *output) launch() {
	o.phase, o.ended = phasePumping, make(chan struct{})
	o.pumps.tasks.Go(o.task, o.pump)
}

// settle is how a pump leaves.
func (o *output) settle(to phase) {
	var over func()
	o.mu.Lock()
	close(o.ended)
	switch {
	case to != phaseOver && o.order == orderFinish:
		o.launch()
	case to != phaseOver && o.order == orderGoOn:
		o.wait()
	case to == phaseOver:
		o.phase, over = to, o.over
	default:
		o.phase, o.order = phaseStill, orderGoOn
	}
	o.mu.Unlock()
	if over != nil {
		over()
	}
}

func (o *output) ordered() order {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.order
}

// pace is how often a stream is read.
type pace struct {
	left   time.Time     // when the last pump left
	streak int           // pumps that came soon after the one before
	pause  time.Duration // 0: the poll tells when to read
}
