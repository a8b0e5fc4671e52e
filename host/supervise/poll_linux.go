package supervise

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/group"
)

// linger is how long the goroutine of a poll stays when there is nothing to wait
// for: mostly, who has just ended is started again.
const linger = 200 * time.Millisecond

// poll tells of many descriptors through one, for which one goroutine waits as long
// as there are any. It has no part in them: they have to be taken out before they
// are closed.
type poll struct {
	name  string
	tasks *group.Group
	// turn is called by the goroutine with what has come, and with nothing when it
	// is time for it; next says when that is, and zero is never.
	turn func(events []unix.EpollEvent)
	next func() time.Time

	mu      sync.Mutex
	file    *os.File // nil before the first descriptor, and after rest
	raw     syscall.RawConn
	count   int  // of descriptors
	running bool // the goroutine is there
	idle    time.Time
	hurried int // of those who wait for the goroutine to end
}

// add puts a descriptor into the poll. Of what is asked of it here or by arm, the
// poll tells once, under id.
func (p *poll) add(number int, events uint32, id uint64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file == nil {
		if err := p.open(); err != nil {
			return err
		}
	}
	if err := p.control(unix.EPOLL_CTL_ADD, number, events, id); err != nil {
		return err
	}
	p.count++
	if !p.running {
		p.running = true
		p.tasks.Go(p.name, func(context.Context) { p.run() })
	}
	return nil
}

// arm asks again.
func (p *poll) arm(number int, events uint32, id uint64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.control(unix.EPOLL_CTL_MOD, number, events, id)
}

// remove takes a descriptor out.
func (p *poll) remove(number int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count--; p.count == 0 {
		p.idle = time.Now()
		p.wake()
	}
	return p.control(unix.EPOLL_CTL_DEL, number, 0, 0)
}

// hurry is called with 1 by who is about to wait for the goroutine to end, and with
// -1 afterwards.
func (p *poll) hurry(by int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hurried += by
	if p.running && p.count == 0 {
		p.wake()
	}
}

// rest lets go of what the poll needs, if nobody needs the poll; it tells whether
// that is so.
func (p *poll) rest() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file != nil && !p.running {
		// It is our own and nobody else has closed it.
		_ = p.file.Close()
		p.file = nil
	}
	return p.file == nil
}

func (p *poll) open() error {
	number, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(number, true); err != nil {
		return errors.Join(os.NewSyscallError("fcntl", err), unix.Close(number))
	}
	file := os.NewFile(uintptr(number), p.name)
	raw, err := file.SyscallConn()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	p.file, p.raw = file, raw
	return nil
}

func (p *poll) control(operation, number int, events uint32, id uint64) error {
	event := unix.EpollEvent{Events: events | unix.EPOLLONESHOT, Fd: int32(id), Pad: int32(id >> 32)}
	var inner error
	err := p.raw.Control(func(own uintptr) { inner = unix.EpollCtl(int(own), operation, number, &event) })
	return errors.Join(err, os.NewSyscallError("epoll_ctl", inner))
}

func (p *poll) run() {
	events := make([]unix.EpollEvent, 64)
	for p.goOn() {
		n := p.wait(events)
		for n == len(events) {
			// Who comes together is looked after together.
			events = append(events, make([]unix.EpollEvent, n)...)
			n += p.take(events[n:])
		}
		p.turn(events[:n])
	}
}

// goOn tells whether there is still something to wait for, or may be soon.
func (p *poll) goOn() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	deadline := p.next()
	if p.count == 0 {
		if deadline = p.idle.Add(linger); p.hurried > 0 || !deadline.After(time.Now()) {
			p.running = false
			return false
		}
	}
	// The file has deadlines, and nobody has closed it.
	_ = p.file.SetReadDeadline(deadline)
	return true
}

// wake ends wait, also the next one. It is called with mu held, so that goOn has
// its say afterwards.
func (p *poll) wake() { _ = p.file.SetReadDeadline(time.Unix(1, 0)) }

// wait waits for events and gives how many there were: none at the deadline.
func (p *poll) wait(events []unix.EpollEvent) (n int) {
	// The only error is that of the deadline.
	_ = p.raw.Read(func(uintptr) bool {
		n = p.take(events)
		return n > 0
	})
	return n
}

// take gives the events that are there.
func (p *poll) take(events []unix.EpollEvent) (n int) {
	_ = p.raw.Control(func(own uintptr) {
		n, _ = retry(func() (int, error) { return unix.EpollWait(int(own), events, 0) })
	})
	return max(n, 0)
}

// idOf is what add was told.
func idOf(e unix.EpollEvent) uint64 { return uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32 }
