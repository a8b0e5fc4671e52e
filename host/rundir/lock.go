package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lockPatience is how long [Dir.Lock] waits for those who only look to leave.
const lockPatience = 2 * time.Second

// RunningError says that an instance of this name runs.
type RunningError struct {
	Pid  int    // of its master; 0 if it has only just begun and is not known yet
	Path string // of the lock that it holds
}

// Error names the pid and the lock.
func (e *RunningError) Error() string {
	if e.Pid == 0 {
		return fmt.Sprintf("it is running already (it holds %s)", e.Path)
	}
	return fmt.Sprintf("it is running already with pid %d (it holds %s)", e.Pid, e.Path)
}

// Status is what [Dir.Peek] saw.
type Status struct {
	Dir
	Running bool
	Pid     int // of the master, if it runs; 0 if it has only just begun
}

// Lock is the right to be the one instance of a name. The kernel keeps it as long
// as any process has its file open, and drops it however the last of them ends.
//
// It is never unlocked, only closed: an unlock would take it from the process it
// was handed to as well.
type Lock struct {
	dir Dir

	mu   sync.Mutex
	file *os.File
}

// Lock makes the folder if need be, becomes the one instance of this name and
// writes the pid file. If one runs, the error is a [*RunningError] and nothing
// was touched.
func (d Dir) Lock() (*Lock, error) {
	f, err := d.acquire()
	if err != nil {
		return nil, err
	}
	// From here on what lies in the folder was left by an instance that is gone.
	if err := errors.Join(d.sweep(), d.WritePid(os.Getpid())); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Lock{dir: d, file: f}, nil
}

// acquire gets the exclusive lock. Who looks (Peek) holds a shared one for a
// moment: if a shared one can be had beside the holder, the holder is looking
// only, and it is worth trying again.
func (d Dir) acquire() (*os.File, error) {
	path := filepath.Join(d.Path, lockName)
	for deadline := time.Now().Add(lockPatience); ; time.Sleep(time.Millisecond) {
		f, err := d.open(path)
		if errors.Is(err, fs.ErrNotExist) && time.Now().Before(deadline) {
			continue // an instance that stops has just removed the folder
		}
		if err != nil {
			return nil, err
		}
		held, err := d.take(f)
		if held {
			return f, nil
		}
		_ = f.Close() // nothing was written to it
		if err != nil {
			return nil, err
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("cannot lock %s: another process keeps looking at it", path)
		}
	}
}

func (d Dir) open(path string) (*os.File, error) {
	if err := d.Make(); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the lock: %w", err)
	}
	return f, nil
}

// take tries for the exclusive lock once. Without lock and without error it is
// worth trying again.
func (d Dir) take(f *os.File) (held bool, err error) {
	switch err := flock(f, unix.LOCK_EX); {
	case err == nil:
		// An instance that stops removes the file it holds: a lock on a file
		// that has no name any more would keep nobody out.
		return d.current(f), nil
	case !errors.Is(err, unix.EWOULDBLOCK):
		return false, fmt.Errorf("cannot lock %s: %w", f.Name(), err)
	}
	switch err := flock(f, unix.LOCK_SH); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return false, &RunningError{Pid: d.pid(), Path: f.Name()}
	case err != nil:
		return false, fmt.Errorf("cannot lock %s: %w", f.Name(), err)
	}
	return false, nil
}

// current tells whether f is still the file at the lock's path.
func (d Dir) current(f *os.File) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(filepath.Join(d.Path, lockName))
	return err == nil && os.SameFile(mine, named)
}

func flock(f *os.File, how int) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var locked error
	err = conn.Control(func(fd uintptr) {
		for {
			if locked = unix.Flock(int(fd), how|unix.LOCK_NB); locked != unix.EINTR {
				return
			}
		}
	})
	return errors.Join(err, locked)
}

// Adopt takes over a lock that another process handed to this one as an open
// file; both hold it until they close it. It owns file from then on, also if it
// fails. The pid file stays as it is: see [Dir.WritePid].
func (d Dir) Adopt(file *os.File) (*Lock, error) {
	err := flock(file, unix.LOCK_EX) // no change if it is ours, and proof that it is
	if err == nil && !d.current(file) {
		err = fmt.Errorf("it is not the file at %s", filepath.Join(d.Path, lockName))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot adopt the lock: %w", err), file.Close())
	}
	return &Lock{dir: d, file: file}, nil
}

// File is the open file that carries the lock, to be handed to a process that
// shall hold it too. It belongs to the Lock and changes with [Lock.Restore].
func (l *Lock) File() *os.File {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file
}

// Close lets go of the lock, unless another process was handed it. Files in the
// folder stay.
func (l *Lock) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}

// Restore makes the folder, the lock and the pid file again if they have
// vanished, and tells whether it had to; the caller then makes its own files
// again. If another instance has taken the place meanwhile, the error is a
// [*RunningError].
func (l *Lock) Restore() (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dir.current(l.file) {
		return false, nil
	}
	f, err := l.dir.acquire()
	if err != nil {
		return false, fmt.Errorf("cannot restore the runtime folder: %w", err)
	}
	old := l.file
	l.file = f
	return true, errors.Join(old.Close(), l.dir.WritePid(os.Getpid()))
}

// Clean removes the instance's own files, the given ones (names in the folder)
// with them, then the folder if nothing else lies in it, and closes the lock.
// Only an instance that stops calls it, never one that handed the lock on.
func (l *Lock) Clean(names ...string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	if l.dir.current(l.file) { // else the folder is gone or somebody else's
		// The lock goes last: until then nobody else works in the folder.
		errs = append(errs, removeSocket(filepath.Join(l.dir.Path, socketName)))
		for _, name := range append(names, pidName, stateName, lockName) {
			if !filepath.IsLocal(name) {
				errs = append(errs, fmt.Errorf("cannot clean up %s: it lies outside of %s", name, l.dir.Path))
				continue
			}
			errs = append(errs, remove(filepath.Join(l.dir.Path, name)))
		}
		// Fails, as it should, while there are logs or files of others in it.
		_ = os.Remove(l.dir.Path)
	}
	return errors.Join(append(errs, l.file.Close())...)
}

// Peek tells whether the instance runs, and its pid. It only looks: it creates
// nothing and does not disturb an instance that is about to start. Stale files
// never fool it, for the lock alone decides.
func (d Dir) Peek() (Status, error) {
	s := Status{Dir: d}
	f, err := os.OpenFile(filepath.Join(d.Path, lockName), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		defer f.Close()
		err = checkFolder(d.Path, true)
	}
	if err == nil {
		err = flock(f, unix.LOCK_SH)
	}
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		s.Running, s.Pid = true, d.pid()
	case err != nil:
		return s, fmt.Errorf("cannot tell whether %s runs: %w", d.Name, err)
	}
	return s, nil
}

// removeSocket removes a control socket. Anything else of that name was not made
// by an instance.
func removeSocket(path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return nil
	}
	return remove(path)
}
