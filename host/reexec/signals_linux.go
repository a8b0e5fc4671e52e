package reexec

import (
	"os"
	"os/signal"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a signal does between the two programs is up to the kernel's table alone:
// handlers are gone there, and blocked signals help little, because Go's runtime
// unblocks HUP, INT, TERM and QUIT in every thread before it has a handler. So the
// table is changed below package os/signal, which knows nothing of it and goes on
// as before if the change does not happen.

// harmless are the signals that ask for something; they must not end the process
// on the way. Of those Go's runtime leaves HUP and INT ignored until a program
// asks to be notified.
func harmless() []syscall.Signal {
	return []syscall.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGUSR1, unix.SIGUSR2}
}

// deadly are those that end the process. They get their default action before
// what was received is counted, so none can come unseen in between.
func deadly() []syscall.Signal { return []syscall.Signal{unix.SIGTERM, unix.SIGQUIT} }

const (
	actionDefault = 0 // SIG_DFL
	actionIgnore  = 1 // SIG_IGN
)

// action is the kernel's struct sigaction. Its first word is the handler on all
// systems that Go runs on but MIPS; what follows is kept as it is.
type action struct {
	handler uintptr
	rest    [15]uintptr
}

const sigsetSize = 8 // bytes, of the kernel's signal sets

func sigaction(s syscall.Signal, set, old *action) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(old)), sigsetSize, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("rt_sigaction", errno)
	}
	return nil
}

// dispositions remembers what signals did before.
type dispositions struct {
	changed map[syscall.Signal]action
	ignored []int // those that were ignored already, in the order of harmless
}

// quiet makes signals do what they may do between two programs.
func quiet() (*dispositions, error) {
	d := &dispositions{changed: make(map[syscall.Signal]action)}
	for _, s := range slices.Concat(harmless(), deadly()) {
		wanted := action{handler: actionIgnore}
		if slices.Contains(deadly(), s) {
			wanted.handler = actionDefault
		}
		if err := d.change(s, wanted); err != nil {
			d.restore()
			return nil, err
		}
	}
	return d, nil
}

func (d *dispositions) change(s syscall.Signal, wanted action) error {
	var old action
	if err := sigaction(s, nil, &old); err != nil {
		return err
	}
	if old.handler == actionIgnore {
		d.ignored = append(d.ignored, int(s))
		return nil
	}
	if err := sigaction(s, &wanted, nil); err != nil {
		return err
	}
	d.changed[s] = old
	return nil
}

func (d *dispositions) restore() {
	for s, old := range d.changed {
		// It worked with another action, and this one was there before.
		_ = sigaction(s, &old, nil)
	}
}

// settle waits until every signal that was received is in the channels that
// package os/signal notifies.
func settle() {
	// Stop waits for that, if there is something to stop. This signal does nothing
	// by default, and is caught by the runtime in any case.
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGWINCH)
	signal.Stop(c)
}

// waiting takes what is in c.
func waiting(c chan os.Signal) []os.Signal {
	var all []os.Signal
	for {
		select {
		case s := <-c:
			all = append(all, s)
		default:
			return all
		}
	}
}

// putBack is for signals that were taken for nothing.
func putBack(c chan os.Signal, all []os.Signal) {
	for _, s := range all {
		select {
		case c <- s:
		default: // as full as package os/signal may find it
		}
	}
}

// forget makes package os/signal forget that s was found to be ignored at the
// start: it was so for the moment of the change only. It stays ignored until the
// program asks for it, or accepts.
func forget(s os.Signal) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, s)
	signal.Stop(c)
}

// heed gives s back its default action if nobody has asked for it meanwhile.
func heed(s syscall.Signal) error {
	var now action
	if err := sigaction(s, nil, &now); err != nil || now.handler != actionIgnore {
		return err
	}
	return sigaction(s, &action{handler: actionDefault}, nil)
}
