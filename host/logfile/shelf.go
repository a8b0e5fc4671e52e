package logfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dserver/dserver/internal/group"
)

// unusedLimit is how long a log stays open after the last process that wrote to it
// has ended: many are started again.
const unusedLimit = time.Minute

// Output says where what a process writes is to go. The zero Output keeps nothing.
type Output struct {
	// Log says that it goes to a log: to the one of the instance, or to one of its
	// own.
	Log bool
	// Own is a log of its own; Path, Format, MaxSize, MaxAge, Keep and Plain count.
	// Default: nil, that of the instance.
	Own *Options
	// Standard says that it goes to the standard output and error of this process as
	// well, line by line as it is. When those are blocked, so is the process that
	// writes, but for no more than 10 seconds; what comes then is not shown.
	Standard bool
}

// Outlet takes one output stream of a process. It is not safe for concurrent use.
type Outlet interface {
	// Write takes any number of lines and pieces of lines, in order.
	Write(p []byte)
	// Finish says that no more comes. It is to be called once, also if nothing came,
	// unless another process goes on.
	Finish()
	// Rest is the last line as far as it has come; written to another Outlet first,
	// it is gone on with there.
	Rest() []byte
}

// Shelf has the logs that a process writes: that of the instance, and those of
// programs which have their own. Make one with [NewShelf]. It is safe for concurrent
// use.
type Shelf struct {
	main     *Writer
	tasks    *group.Group
	out, err *echo

	mu     sync.Mutex
	owner  bool
	closed bool
	logs   map[string]*shelved // by path
}

// shelved is a log of a program, or of some.
type shelved struct {
	writer *Writer
	users  int
	unused time.Time // since when there are none
}

// NewShelf returns a Shelf with the log of the instance, which stays the caller's,
// and with what stands for standard output and error. Like main, it rotates only
// after Own.
func NewShelf(main *Writer, stdout, stderr io.Writer) *Shelf {
	return &Shelf{
		main: main, tasks: group.New(context.Background(), nil), logs: make(map[string]*shelved),
		owner: main.owner.Load(), out: newPatientEcho(stdout), err: newPatientEcho(stderr),
	}
}

// Outlets gives what takes the two streams of a process; nil if they are not kept.
// Processes may share a log of their own if they agree on its format; of the other
// settings those that came last count. Both must be finished.
func (s *Shelf) Outlets(o Output, name string, instance, generation int) (stdout, stderr Outlet, err error) {
	var log *shelved
	if o.Log {
		if log, err = s.take(o.Own); err != nil {
			return nil, nil, fmt.Errorf("cannot keep the output of %s: %w", name, err)
		}
	}
	outlet := func(stream string, standard *echo) Outlet {
		if log == nil && !o.Standard {
			return nil
		}
		shown := &plain{to: standard}
		if log == nil {
			return shown
		}
		kept := &user{
			Outlet: log.writer.Sink(Source{Name: name, Stream: stream, Instance: instance, Generation: generation}),
			leave:  func() { s.leave(log) },
		}
		if o.Standard {
			return &tee{log: kept, standard: shown}
		}
		return kept
	}
	return outlet(StreamOut, s.out), outlet(StreamErr, s.err), nil
}

// take finds or opens a log for two streams.
func (s *Shelf) take(own *Options) (*shelved, error) {
	if own == nil {
		return &shelved{writer: s.main}, nil
	}
	form, err := formOf(own.Format)
	if err != nil {
		return nil, err
	}
	path, err := realPath(own.Path)
	if err != nil {
		return nil, err
	}
	if main, err := realPath(s.main.options.Path); err == nil && main == path {
		return &shelved{writer: s.main}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, os.ErrClosed
	}
	s.clear(time.Now())
	log := s.logs[path]
	switch {
	case log == nil:
		if log, err = s.open(path, *own); err != nil {
			return nil, err
		}
	case log.writer.form != form:
		return nil, fmt.Errorf("%s is written in another format", path)
	default:
		log.writer.Limit(*own)
	}
	log.users += 2
	return log, nil
}

func (s *Shelf) open(path string, own Options) (*shelved, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	w, err := Open(Options{
		Path: path, Format: own.Format, MaxSize: own.MaxSize, MaxAge: own.MaxAge, Keep: own.Keep, Plain: own.Plain,
		Owner: s.owner, Remark: s.remark,
	})
	if err != nil {
		return nil, err
	}
	log := &shelved{writer: w}
	s.logs[path] = log
	return log, nil
}

// remark puts into the log of the instance what is wrong with another one.
func (s *Shelf) remark(err error) {
	s.main.Line(time.Now(), Master, StreamLog, fmt.Appendf(nil, "%v %v", slog.LevelError, err))
}

func (s *Shelf) leave(log *shelved) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if log.users--; log.users == 0 {
		log.unused = time.Now()
	}
}

// clear closes what has not been used for long.
func (s *Shelf) clear(now time.Time) {
	for path, log := range s.logs {
		if log.users > 0 || now.Sub(log.unused) < unusedLimit {
			continue
		}
		delete(s.logs, path)
		s.tasks.Go("end of "+path, func(context.Context) {
			if err := log.writer.Close(); err != nil {
				s.remark(err)
			}
		})
	}
}

// Reader gives a Reader of the log of a program, whether or not it is open. Its
// lines have the path as their Log, and in a raw log all are those of owner.
func (s *Shelf) Reader(own Options, owner string) (*Reader, error) {
	path, err := realPath(own.Path)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	log := s.logs[path]
	s.mu.Unlock()
	r, err := OpenReader(path, own.Format)
	if err != nil {
		return nil, err
	}
	if log != nil && log.writer.form == r.form {
		r = log.writer.Reader()
	}
	return r.Labelled(own.Path, owner), nil
}

// all gives the Writers in a defined order, that of the instance first.
func (s *Shelf) all() []*Writer {
	s.mu.Lock()
	defer s.mu.Unlock()
	writers := []*Writer{s.main}
	for _, log := range s.logs {
		writers = append(writers, log.writer)
	}
	slices.SortFunc(writers[1:], func(a, b *Writer) int {
		return strings.Compare(a.options.Path, b.options.Path)
	})
	return writers
}

// Own says whether this process is the one that rotates; see [Writer.Own].
func (s *Shelf) Own(on bool) {
	s.mu.Lock()
	s.owner = on
	s.mu.Unlock()
	for _, w := range s.all() {
		w.Own(on)
	}
}

// Flush writes what has been collected for all logs.
func (s *Shelf) Flush() error {
	var errs []error
	for _, w := range s.all() {
		errs = append(errs, w.Flush())
	}
	return errors.Join(errs...)
}

// Reopen does what [Writer.Reopen] does, with all logs.
func (s *Shelf) Reopen() error {
	var errs []error
	for _, w := range s.all() {
		errs = append(errs, w.Reopen())
	}
	return errors.Join(errs...)
}

// Close writes what has been collected and closes the logs of programs. What is
// written to an Outlet afterwards is lost.
func (s *Shelf) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return os.ErrClosed
	}
	var errs []error
	for _, w := range s.all()[1:] {
		errs = append(errs, w.Close())
	}
	errs = append(errs, s.tasks.Wait(context.Background()), s.main.Flush())
	s.out.close()
	s.err.close()
	return errors.Join(errs...)
}

// realPath is the one name of a file that there may be or not.
func realPath(path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", fmt.Errorf("the path %q is not absolute", path)
	}
	found, err := filepath.EvalSymlinks(path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return found, err
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return filepath.Clean(path), nil
	}
	return filepath.Join(dir, filepath.Base(path)), err
}
