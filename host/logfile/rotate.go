package logfile

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"time"
)

// restAfterFailure is how long rotating is not tried again after it has failed.
const restAfterFailure = time.Minute

// rotateIfLarge and rotateIfOld rotate when the file has grown enough, or holds
// lines that are old enough, and it is for us to do it.
func (w *Writer) rotateIfLarge() {
	if w.options.MaxSize > 0 {
		w.rotateIf(func(size int64) bool { return size >= w.options.MaxSize })
	}
}

func (w *Writer) rotateIfOld() {
	if w.options.MaxAge <= 0 || time.Since(w.born) < w.options.MaxAge {
		return
	}
	line, err := (&segment{file: w.file, form: w.form}).firstLine()
	first := int64(len(line)) + 1
	if err == nil && isContinuation(w.form, line) {
		w.rotateIf(func(size int64) bool { return size > first })
	} else {
		w.rotateIf(func(size int64) bool { return size > 0 })
	}
	// The lines that come now are the first of the file.
	w.born = time.Now()
}

// bornAt tells when the file that we write to was made.
func (w *Writer) bornAt() time.Time {
	if born, ok := birth(w.file); ok {
		return born
	}
	return time.Now()
}

func (w *Writer) rotateIf(due func(size int64) bool) {
	if !w.owner.Load() || time.Now().Before(w.resting) {
		return
	}
	done, err := w.tryRotate(due)
	if err != nil {
		w.remarks = append(w.remarks, fmt.Errorf("cannot rotate the log: %w", err))
		w.resting = time.Now().Add(restAfterFailure)
		return
	}
	if done && !w.options.Plain {
		w.pack()
	}
}

func (w *Writer) tryRotate(due func(size int64) bool) (done bool, err error) {
	info, err := w.file.Stat()
	if err != nil || !due(info.Size()) {
		return false, err
	}
	ours, err := lockSoon(w.file)
	if err != nil || !ours {
		return false, err
	}
	done, err = w.rotateLocked()
	if err = errors.Join(err, unlock(w.file)); err != nil || !done {
		return false, err
	}
	return true, w.goOver()
}

// lockSoon waits for those who append just now, but not for one that has stopped
// in the middle of it: there will be another time.
func lockSoon(f *os.File) (bool, error) {
	const tries, pause = 20, 500 * time.Microsecond
	for range tries {
		if ours, err := tryLock(f); ours || err != nil {
			return ours, err
		}
		time.Sleep(pause)
	}
	return false, nil
}

// rotateLocked is called with our file locked. It does nothing if that is no longer
// the log, or if a rotated file is just being packed.
func (w *Writer) rotateLocked() (done bool, err error) {
	if !isAt(w.file, w.options.Path) {
		return false, nil
	}
	candidate, err := os.Open(rotated(w.options.Path, packNumber))
	if errors.Is(err, fs.ErrNotExist) {
		return true, w.rotate()
	}
	if err != nil {
		return false, err
	}
	// Closing it ends the lock, too.
	defer candidate.Close()
	ours, err := tryLock(candidate)
	if err != nil || !ours {
		return false, err
	}
	return true, w.rotate()
}

// rotate puts a new file into the place of ours, which is locked. There is a log
// at the path at every moment. What can fail comes before anything is moved.
func (w *Writer) rotate() error {
	path := w.options.Path
	end, err := endOf(w.file, w.form)
	if err != nil {
		return err
	}
	fresh, old := path+".new", path+".old"
	if err := w.begin(fresh, end); err != nil {
		return err
	}
	if w.options.Keep > 0 {
		if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Link(path, old); err != nil {
			return err
		}
	}
	if err := w.makeRoom(); err != nil {
		return err
	}
	if w.options.Keep > 0 {
		if err := os.Rename(old, rotated(path, 1)); err != nil {
			return err
		}
	}
	return os.Rename(fresh, path)
}

// begin makes the file that continues at offset end.
func (w *Writer) begin(path string, end int64) error {
	if w.form != (rawForm{}) {
		return os.WriteFile(path, continuationLine(w.form, end), 0o600)
	}
	// A raw file's offset is its birth, which file systems tell to some
	// milliseconds. Only a file that was full as soon as it was made has to wait.
	const tries, pause = 20, time.Millisecond
	for try := 0; ; try++ {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		base := rawBase(f)
		if err := f.Close(); err != nil || base >= end || try == tries {
			return err
		}
		time.Sleep(pause)
	}
}

// makeRoom moves all rotated files up by one and removes those that are not to be
// kept. The number 1 is free afterwards.
func (w *Writer) makeRoom() error {
	numbers, err := rotatedNumbers(w.options.Path)
	if err != nil {
		return err
	}
	slices.Sort(numbers)
	for _, n := range slices.Backward(slices.Compact(numbers)) {
		for _, suffix := range []string{"", packed} {
			from := rotated(w.options.Path, n) + suffix
			if n >= w.options.Keep {
				err = os.Remove(from)
			} else {
				err = os.Rename(from, rotated(w.options.Path, n+1)+suffix)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// packNumber is that of the rotated file that is packed. The newest is left as it
// is: whoever follows the log may still be reading it.
const packNumber = 2

// pack compresses a rotated file in the background.
func (w *Writer) pack() {
	if w.options.Keep < packNumber {
		return
	}
	w.tasks.Go("log packer", func(ctx context.Context) {
		err := packFile(ctx, rotated(w.options.Path, packNumber), w.form)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && ctx.Err() == nil {
			w.disk.Lock()
			defer w.disk.Unlock()
			w.remarks = append(w.remarks, fmt.Errorf("cannot pack a rotated log: %w", err))
		}
	})
}

// packFile replaces path by a compressed file with .gz behind its name. While it
// works the file is locked, and nobody rotates; it is for one process at a time. It
// stops early when ctx ends, and leaves the file as it was.
func packFile(ctx context.Context, path string, form form) (err error) {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	ours, err := tryLock(in)
	if err != nil || !ours || !isAt(in, path) {
		return err
	}
	part := path + ".part"
	out, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	z := gzip.NewWriter(out)
	if form == (rawForm{}) {
		z.Comment = strconv.FormatInt(rawBase(in), 10)
	}
	_, err = io.Copy(z, contextReader{ctx, in})
	if err = errors.Join(err, z.Close(), out.Close()); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	if err := os.Rename(part, path+packed); err != nil {
		return err
	}
	return os.Remove(path)
}

type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
