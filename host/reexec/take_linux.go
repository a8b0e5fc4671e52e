package reexec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/inherit"
)

// Taken is what the program before this one left in this process.
type Taken struct {
	head    head
	state   []byte
	files   []*os.File
	letter  *os.File
	old     *os.File // the executable that went before
	reason  string   // on the way back only
	damaged bool     // not all could be read: what there is serves the way back
}

// Take takes over what [Exec] left in this process. It is false if this process
// did not begin so. It is to be called once, before this process opens anything or
// starts a goroutine that does.
//
// With an error there is a Taken still: it has neither state nor files, and it is
// good for [Taken.Back] alone.
func Take() (*Taken, bool, error) {
	text, ok := os.LookupEnv(variable)
	if !ok {
		return nil, false, nil
	}
	if err := os.Unsetenv(variable); err != nil {
		return nil, false, err
	}
	to, err := parseAddress(text)
	if err != nil {
		return &Taken{damaged: true}, true, fmt.Errorf("cannot take over from the program before: %w", err)
	}
	if to.pid != os.Getpid() {
		return nil, false, nil // somebody let a child see the variable
	}
	t := &Taken{reason: to.reason}
	if err := t.open(to); err != nil {
		t.damaged = true
		return t, true, fmt.Errorf("cannot take over from the program before: %w", err)
	}
	for _, s := range harmless() {
		if !slices.Contains(t.head.Ignored, int(s)) {
			forget(s)
		}
	}
	rename()
	return t, true, nil
}

func (t *Taken) open(to address) error {
	var err error
	if t.old, err = inPlace(to.executable, "old executable"); err != nil {
		return fmt.Errorf("the old executable: %w", err)
	}
	if t.letter, err = inPlace(to.letter, "letter"); err != nil {
		return fmt.Errorf("the letter: %w", err)
	}
	if t.head, t.state, err = readLetter(t.letter); err != nil {
		return fmt.Errorf("the letter: %w", err)
	}
	// None is touched before all are known to be there, so that the way back stays.
	for i, number := range t.head.Files {
		if _, err := unix.FcntlInt(uintptr(number), unix.F_GETFD, 0); err != nil {
			return fmt.Errorf("file %d, descriptor %d: %w", i, number, os.NewSyscallError("fcntl", err))
		}
	}
	for i, number := range t.head.Files {
		f, err := inPlace(number, "kept "+strconv.Itoa(i))
		if err != nil {
			return fmt.Errorf("file %d, descriptor %d: %w", i, number, err)
		}
		t.files = append(t.files, f)
	}
	return nil
}

// State is what the program before gave to Exec.
func (t *Taken) State() []byte {
	if t.damaged {
		return nil
	}
	return t.state
}

// Files are the kept files in the order of [Image.Files], with the numbers that
// they had. They are closed on exec and out of the runtime's poller: who wants to
// read or listen makes a copy, as package inherit does. [Taken.Accept] closes them.
func (t *Taken) Files() []*os.File {
	if t.damaged {
		return nil
	}
	return t.files
}

// Signals are those that the program before had received and not handled, in
// order.
func (t *Taken) Signals() []os.Signal {
	all := make([]os.Signal, 0, len(t.head.Signals))
	for _, number := range t.head.Signals {
		all = append(all, syscall.Signal(number))
	}
	return all
}

// Returned says why the new program did not want to go on, if this is the old one
// again. It is nil in a new one.
func (t *Taken) Returned() error {
	if t.reason == "" {
		return nil
	}
	return errors.New(t.reason)
}

// Accept ends the way back: it closes Files and what was kept besides. The
// program has asked for the signals that it wants before: HUP and INT, which were
// ignored until now, get their default action if it did not.
func (t *Taken) Accept() error {
	var errs []error
	for _, f := range append(t.files, t.letter, t.old) {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	t.files, t.letter, t.old = nil, nil, nil
	for _, s := range harmless() {
		if !slices.Contains(t.head.Ignored, int(s)) {
			errs = append(errs, heed(s))
		}
	}
	return errors.Join(errs...)
}

// Back runs the old program again, with its own arguments and environment, with
// the same state, files and signals; it learns why by [Taken.Returned]. Back returns only
// if that fails, or if this is the old program already: then there is nothing to
// go back to. None of Files may have been closed, and what this program has
// received or read meanwhile is gone.
func (t *Taken) Back(why error) error {
	if err := t.back(why); err != nil {
		return fmt.Errorf("cannot go back to the program before: %w", err)
	}
	return nil
}

func (t *Taken) back(why error) error {
	switch {
	case t.reason != "":
		return errors.New("it was that one that gave up")
	case t.old == nil || t.letter == nil:
		return errors.New("the way back is closed")
	}
	args, env := t.head.Args, t.head.Env
	if t.damaged {
		args, env = os.Args, os.Environ()
	}
	reason := "for no reason"
	if why != nil && why.Error() != "" {
		reason = why.Error()
	}
	conns := make([]syscall.Conn, 0, len(t.files)+2)
	for _, f := range append(slices.Clone(t.files), t.letter, t.old) {
		conns = append(conns, f)
	}
	return alone(context.Background(), nil, func(head) error {
		return inherit.Numbers(conns, func(numbers []uintptr) error {
			to := address{pid: os.Getpid(), reason: reason}
			to.letter, to.executable = int(numbers[len(numbers)-2]), int(numbers[len(numbers)-1])
			path := fmt.Sprintf("/proc/self/fd/%d", to.executable)
			return change(path, args, append(without(env), to.entry()), numbers)
		})
	})
}

// inPlace makes a file of a descriptor that keeps its number, closed on exec and
// out of the poller. os.NewFile decides by O_NONBLOCK whether a file joins it, so
// something harmless is in its place for that moment.
func inPlace(number int, name string) (*os.File, error) {
	aside, err := unix.FcntlInt(uintptr(number), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	defer unix.Close(aside)
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	defer unix.Close(event)
	if err := unix.Dup3(event, number, unix.O_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("dup3", err)
	}
	f := os.NewFile(uintptr(number), name)
	if err := unix.Dup3(aside, number, unix.O_CLOEXEC); err != nil {
		return nil, errors.Join(os.NewSyscallError("dup3", err), f.Close())
	}
	return f, nil
}

// rename gives the process the name that it has by its arguments. The system
// takes it from the path, and one that was run by its descriptor is called by a
// number.
func rename() {
	name := filepath.Base(os.Args[0])
	path := fmt.Sprintf("/proc/self/task/%d/comm", os.Getpid())
	// It is for people who look at a list of processes; without it they see a number.
	_ = os.WriteFile(path, []byte(name), 0)
}
