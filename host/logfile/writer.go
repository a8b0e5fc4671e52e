package logfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dserver/dserver/internal/group"
)

const (
	// delay is how long a line may wait for others.
	delay = 20 * time.Millisecond
	// maxBatch is how many bytes are collected at most; who brings more waits until
	// they are written.
	maxBatch = 256 << 10
	// idleBuffer is the largest buffer that is kept when there is little to write.
	idleBuffer = 16 << 10
	// echoLimit is how long Close waits for a terminal that takes nothing.
	echoLimit = time.Second
)

// Options says where and how a [Writer] writes. Path is needed.
type Options struct {
	// Path of the log; its folder must exist.
	Path string
	// Format of the lines. Default: Text.
	Format Format
	// MaxSize in bytes is the size from which on the file is rotated. Default: 0,
	// it never is.
	MaxSize int64
	// MaxAge is the age of the file from which on it is rotated before the next
	// line. Default: 0, any.
	MaxAge time.Duration
	// Keep is how many rotated files are kept. Default: none.
	Keep int
	// Plain says that rotated files are not compressed. Default: they are, but for
	// the newest.
	Plain bool
	// Owner says that this process is the one that rotates; see [Writer.Own].
	Owner bool
	// Echo gets all that is written as well, but for lines that come faster than it
	// takes them. Default: nothing.
	Echo io.Writer
	// Opened is called with each file that comes into the place of the one before,
	// so that a process whose standard error is the log can go over to it. The file is
	// closed when Opened returns. It must not write to the log. Default: nothing.
	Opened func(*os.File) error
	// Remark is told what went wrong with the log itself, such as lines that were
	// lost to a full disk. It must not write to the log. Default: the log says so.
	Remark func(error)
}

// Writer writes lines to a log. Make one with [Open].
type Writer struct {
	options Options // Path, Format and functions stay as they are; the rest is guarded by disk
	form    form
	owner   atomic.Bool
	reader  *Reader
	echo    *echo // nil without one
	tasks   *group.Group
	kick    chan struct{} // there is something in batch

	mu     sync.Mutex // held for a moment only
	batch  []byte
	closed bool

	disk    sync.Mutex // held while writing; taken before mu
	file    *os.File
	end     int64     // size of file when it was last seen to end with a line
	born    time.Time // when the first line of file could have come
	spare   []byte    // the next batch
	resting time.Time // until when rotating is not tried again
	trouble trouble
	remarks []error // what went wrong beside the lines
}

// Open opens the log, and makes it if there is none.
func Open(o Options) (*Writer, error) {
	form, err := formOf(o.Format)
	if err != nil {
		return nil, fmt.Errorf("cannot open the log: %w", err)
	}
	w := &Writer{options: o, form: form, kick: make(chan struct{}, 1), tasks: group.New(context.Background(), nil)}
	w.owner.Store(o.Owner)
	if w.file, err = openLog(o.Path, form, 0); err != nil {
		return nil, fmt.Errorf("cannot open the log: %w", err)
	}
	w.born = w.bornAt()
	w.reader = newReader(o.Path, form)
	w.reader.flush = w.Flush
	if o.Echo != nil {
		w.echo = newEcho(o.Echo)
	}
	w.tasks.Go("log writer", w.flushLoop)
	return w, nil
}

// Limit takes over MaxSize, MaxAge, Keep and Plain of o.
func (w *Writer) Limit(o Options) {
	w.disk.Lock()
	defer w.disk.Unlock()
	w.options.MaxSize, w.options.MaxAge, w.options.Keep, w.options.Plain = o.MaxSize, o.MaxAge, o.Keep, o.Plain
}

// Reopen writes what has been collected and makes sure that the file at the log's
// path is the log from now on. It is for whoever moves the file away: after it
// nothing more is written to the former one. Nothing is lost without it, either; a
// file that was moved is noticed before the next lines are written.
func (w *Writer) Reopen() error {
	if err := w.Flush(); err != nil {
		return err
	}
	w.disk.Lock()
	defer w.disk.Unlock()
	if isAt(w.file, w.options.Path) {
		return nil
	}
	if err := w.goOver(); err != nil {
		return fmt.Errorf("cannot open the log anew: %w", err)
	}
	return nil
}

// Line implements [LineWriter]. After Close it does nothing.
func (w *Writer) Line(t time.Time, name, stream string, text []byte) {
	head := w.form.head(nil, t, Source{Name: name, Stream: stream})
	w.add(func(batch []byte) []byte { return appendLines(batch, w.form, head, text, maxText) })
}

func (w *Writer) add(to func(batch []byte) []byte) {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return
	}
	first := len(w.batch) == 0
	w.batch = to(w.batch)
	full := len(w.batch) >= maxBatch
	w.mu.Unlock()
	if full {
		// The error is kept and told with the next lines that can be written.
		_ = w.flushFrom(maxBatch)
		return
	}
	if first {
		select {
		case w.kick <- struct{}{}:
		default:
		}
	}
}

func (w *Writer) flushLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.kick:
		}
		timer := time.NewTimer(delay)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		_ = w.Flush()
	}
}

// Flush writes what has been collected.
func (w *Writer) Flush() error { return w.flushFrom(1) }

// flushFrom does so if it is so many bytes; while one goroutine has waited for its
// turn, another may have written them.
func (w *Writer) flushFrom(least int) error {
	err, remarks := w.flush(least)
	for _, remark := range remarks {
		if w.options.Remark != nil {
			w.options.Remark(fmt.Errorf("%s: %w", w.options.Path, remark))
			continue
		}
		w.Line(time.Now(), Master, StreamLog, fmt.Appendf(nil, "%v %v", slog.LevelError, remark))
	}
	if err != nil {
		return fmt.Errorf("cannot write the log: %w", err)
	}
	return nil
}

func (w *Writer) flush(least int) (failed error, remarks []error) {
	w.disk.Lock()
	defer w.disk.Unlock()
	w.mu.Lock()
	if len(w.batch) < least {
		w.mu.Unlock()
		return nil, nil
	}
	batch := w.batch
	w.batch, w.spare = w.spare[:0], nil
	if cap(w.batch) > bufferFor(least) {
		w.batch = nil
	}
	w.mu.Unlock()
	if cap(batch) <= bufferFor(least) {
		defer func() { w.spare = batch[:0] }()
	}
	if w.echo != nil {
		w.echo.add(batch)
	}
	w.rotateIfOld()
	failed = w.append(batch)
	if failed == nil {
		w.rotateIfLarge()
	}
	w.reader.news.wakeAll()
	remarks, w.remarks = w.remarks, nil
	return failed, remarks
}

// bufferFor tells how large a buffer is worth keeping. While full batches come it
// is a large one; a log to which little is written shall not cost much.
func bufferFor(least int) int {
	if least < maxBatch {
		return idleBuffer
	}
	return 2 * maxBatch
}

// Own says whether this process is the one that rotates. Of the processes that
// write to one log only one should be; it is no harm if there are two or none for
// a while.
func (w *Writer) Own(on bool) { w.owner.Store(on) }

// Reader gives a Reader of this log that sees at once what this Writer was given.
func (w *Writer) Reader() *Reader { return w.reader }

// Close writes what has been collected, sees to it that it is on the disk, and
// closes the file.
func (w *Writer) Close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return os.ErrClosed
	}
	w.closed = true
	w.mu.Unlock()
	err := errors.Join(w.Flush(), w.tasks.Stop(context.Background()))
	if w.echo != nil {
		w.echo.close()
	}
	w.disk.Lock()
	defer w.disk.Unlock()
	return errors.Join(err, w.file.Sync(), w.file.Close())
}
