package reexec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/inherit"
)

// Exec runs image in place of this program. It returns only if that fails, and
// then with everything as before: files, signals, limits. A ctx that has ended
// by the time when the change could happen makes it fail.
//
// One thing is not quite as before. Go programs raise their limit of open files,
// and give children and later programs the one that they were started with
// themselves. Once the system has refused to run image, which it seldom does if
// the file can be run at all, they give the raised one.
func Exec(ctx context.Context, image Image) error {
	if err := exec(ctx, image); err != nil {
		return fmt.Errorf("cannot run %s in place of this program: %w", image.what(), err)
	}
	return nil
}

func exec(ctx context.Context, image Image) error {
	if err := image.validate(); err != nil {
		return err
	}
	old, err := openPath("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("cannot keep a way back: %w", err)
	}
	defer old.Close()
	path, files := image.Path, slices.Clone(image.Files)
	if image.File != nil {
		number, err := inherit.Number(image.File)
		if err != nil {
			return err
		}
		// It is closed by the change, but looked up before that.
		path = fmt.Sprintf("/proc/self/fd/%d", number)
	}
	if err := check(path); err != nil {
		return err
	}
	return alone(ctx, image.Signals, func(h head) error {
		h.Args, h.Env = os.Args, without(os.Environ())
		return inherit.Numbers(append(files, old), func(numbers []uintptr) error {
			return leave(path, image, h, numbers)
		})
	})
}

// check finds out what would stop the change, as far as that can be told before
// anything is touched.
func check(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is not a file")
	}
	return os.NewSyscallError("access", unix.Faccessat(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS))
}

// alone calls change when nobody forks and signals are quiet, with what is known
// of the signals. If change returns, all that is undone.
func alone(ctx context.Context, signals chan os.Signal, change func(head) error) error {
	// A child that is forked while kept descriptors are open on exec would get
	// them all.
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	before, err := quiet()
	if err != nil {
		return err
	}
	defer before.restore()
	settle()
	received := waiting(signals)
	defer putBack(signals, received)
	h := head{Ignored: before.ignored}
	for _, s := range received {
		if number, ok := s.(syscall.Signal); ok {
			h.Signals = append(h.Signals, int(number))
		}
	}
	return change(h)
}

// leave writes the letter and changes the program. The last of numbers is the
// executable that runs now.
func leave(path string, image Image, h head, numbers []uintptr) error {
	files := numbers[:len(numbers)-1]
	for i, number := range files {
		if number <= 2 || slices.Contains(files[:i], number) {
			return fmt.Errorf("descriptor %d of the list (number %d) is there twice", i, number)
		}
		h.Files = append(h.Files, int(number))
	}
	letter, err := newLetter(h, image.State)
	if err != nil {
		return fmt.Errorf("cannot write the state: %w", err)
	}
	defer letter.Close()
	return inherit.Numbers([]syscall.Conn{letter}, func(of []uintptr) error {
		to := address{pid: os.Getpid(), letter: int(of[0]), executable: int(numbers[len(numbers)-1])}
		return change(path, image.Args, append(without(image.Env), to.entry()), append(numbers, of[0]))
	})
}

// change is the change itself. It keeps the descriptors with these numbers.
func change(path string, args, env []string, numbers []uintptr) error {
	undo, err := keep(numbers)
	defer undo()
	if err != nil {
		return err
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return os.NewSyscallError("getrlimit", err)
	}
	// What the system gives the new program of the thread that asks for it, such as
	// its mask of signals, is that of a thread like any other.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = syscall.Exec(path, args, env)
	for try := 0; errors.Is(err, syscall.ETXTBSY) && try < busyTries; try++ {
		time.Sleep(busyPause)
		err = syscall.Exec(path, args, env)
	}
	// It has given up the limit that the runtime had raised.
	return errors.Join(os.NewSyscallError("execve", err), setLimit(&limit))
}

// An executable that was written a moment ago can seem to be still open for
// writing: a process that is just being forked elsewhere holds all descriptors
// until it runs its own program.
const (
	busyTries = 20
	busyPause = 5 * time.Millisecond
)

// keep makes descriptors stay open over the change; undo makes them what they
// were.
func keep(numbers []uintptr) (undo func(), err error) {
	flags := make(map[uintptr]int, len(numbers))
	undo = func() {
		for number, flag := range flags {
			// It is open, and it worked with another flag.
			_, _ = unix.FcntlInt(number, unix.F_SETFD, flag)
		}
	}
	for _, number := range numbers {
		flag, err := unix.FcntlInt(number, unix.F_GETFD, 0)
		if err == nil {
			flags[number] = flag
			_, err = unix.FcntlInt(number, unix.F_SETFD, flag&^unix.FD_CLOEXEC)
		}
		if err != nil {
			return undo, os.NewSyscallError("fcntl", err)
		}
	}
	return undo, nil
}

// setLimit sets the limit of open files. Package syscall must not hear of it: it
// would let all children have the same from now on.
func setLimit(limit *unix.Rlimit) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, uintptr(unsafe.Pointer(limit)), 0, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("prlimit", errno)
	}
	return nil
}

// openPath opens an executable for nothing but to be run, which is possible
// without the right to read it.
func openPath(path string) (*os.File, error) {
	number, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(number), path), nil
}
