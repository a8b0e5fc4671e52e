package logfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// trouble is what could not be written since the last time that something could.
type trouble struct {
	lines int
	cause error
	torn  bool // the file may end within a line of ours
}

// append writes whole lines to the file that is the log now.
func (w *Writer) append(batch []byte) error {
	err := w.lockCurrent()
	if err == nil {
		err = w.mend()
	}
	if err != nil {
		return w.failed(batch, 0, err)
	}
	text := batch
	if c := w.confession(); len(c) > 0 {
		text = append(c, batch...)
	}
	n, err := w.file.Write(text)
	w.end += int64(n)
	if err = errors.Join(err, unlock(w.file)); err != nil {
		return w.failed(batch, n, err)
	}
	w.trouble = trouble{}
	return nil
}

// confession says what was lost before; it is empty in general.
func (w *Writer) confession() []byte {
	if w.trouble.lines == 0 {
		return nil
	}
	var text []byte
	if w.trouble.torn {
		text = append(text, '\n')
	}
	said := fmt.Sprintf("%d lines of the log are lost: %v", w.trouble.lines, w.trouble.cause)
	if w.options.Remark != nil {
		w.remarks = append(w.remarks, errors.New(said))
		return text
	}
	head := w.form.head(nil, time.Now(), Source{Name: Master, Stream: StreamLog})
	return w.form.line(text, head, fmt.Appendf(nil, "%v %s", slog.LevelError, said), endsLine)
}

func (w *Writer) failed(batch []byte, written int, err error) error {
	w.trouble.lines += bytes.Count(batch, []byte{'\n'})
	w.trouble.cause = err
	w.trouble.torn = w.trouble.torn || written > 0
	return err
}

// lockCurrent gets a shared lock of the file that the log's path leads to, going
// over to it if another process has rotated or somebody has removed ours.
func (w *Writer) lockCurrent() error {
	for {
		if err := lockShared(w.file); err != nil {
			return err
		}
		if isAt(w.file, w.options.Path) {
			return nil
		}
		if err := unlock(w.file); err != nil {
			return err
		}
		if err := w.goOver(); err != nil {
			return err
		}
	}
}

// mend sees to it that our lines begin a line: somebody else may have been killed
// within one. Our shared lock is held, before and afterwards.
func (w *Writer) mend() error {
	whole, err := w.endsWhole()
	if whole || err != nil {
		return err
	}
	// Whoever is writing just now is not to be disturbed.
	if err := lock(w.file); err != nil {
		return err
	}
	whole, err = w.endsWhole()
	if err == nil && !whole {
		var n int
		n, err = w.file.Write([]byte{'\n'})
		w.end += int64(n)
	}
	if err = errors.Join(err, unlock(w.file)); err != nil {
		return err
	}
	return w.lockCurrent()
}

// endsWhole tells whether the file ends with a whole line. What we have written
// ourselves does.
func (w *Writer) endsWhole() (bool, error) {
	info, err := w.file.Stat()
	if err != nil || !info.Mode().IsRegular() || w.form == (rawForm{}) {
		return true, err
	}
	size := info.Size()
	if size == w.end || size == 0 {
		return true, nil
	}
	last := make([]byte, 1)
	if _, err := w.file.ReadAt(last, size-1); err != nil {
		return true, err
	}
	whole := last[0] == '\n'
	if whole {
		w.end = size
	}
	return whole, nil
}

// goOver takes the file at the log's path, or makes one, instead of ours.
func (w *Writer) goOver() error {
	end, err := endOf(w.file, w.form)
	if err != nil {
		return err
	}
	f, err := openLog(w.options.Path, w.form, end)
	if err != nil {
		return err
	}
	old := w.file
	w.file, w.end = f, 0
	w.born = w.bornAt()
	if err := errors.Join(old.Close(), w.tellOpened()); err != nil {
		w.remarks = append(w.remarks, fmt.Errorf("cannot leave the rotated log: %w", err))
	}
	return nil
}

func (w *Writer) tellOpened() error {
	if w.options.Opened == nil {
		return nil
	}
	// It gets an open file of its own: one that is shared would share our locks.
	f, err := os.OpenFile(w.options.Path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	return errors.Join(w.options.Opened(f), f.Close())
}

// endOf gives the offset of the end of a log file.
func endOf(f *os.File, form form) (int64, error) {
	s := &segment{file: f, form: form}
	base, err := s.readBase()
	if err != nil {
		return 0, err
	}
	size, err := s.size()
	return base + size, err
}

// openLog opens the log for appending. A new one continues after what is known to
// have been written: up to end, or up to the end of the newest rotated file.
func openLog(path string, form form, end int64) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		// Somebody has cleared the folder away.
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
		f, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	}
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := errors.Join(prepare(f, path, form, end), unlock(f)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// prepare makes sure that the next line begins a line: after the head of a new
// file, and after what a crash may have left unfinished.
func prepare(f *os.File, path string, form form, end int64) error {
	if form == (rawForm{}) {
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if size := info.Size(); size > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, size-1); err != nil || last[0] == '\n' {
			return err
		}
		_, err = f.Write([]byte{'\n'})
		return err
	}
	newest, err := openSegment(rotated(path, 1), form)
	if err == nil {
		var size int64
		size, err = newest.size()
		end = max(end, newest.base+size)
		err = errors.Join(err, newest.close())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if end == 0 {
		return nil
	}
	_, err = f.Write(continuationLine(form, end))
	return err
}
