package rundir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// maxState bounds what ReadState takes, in bytes.
const maxState = 16 << 20

// WritePid writes the pid file. Only the holder of the lock calls it: [Dir.Lock]
// does so itself, a process that was handed the lock does once it is in charge.
func (d Dir) WritePid(pid int) error {
	return d.write(pidName, append(strconv.AppendInt(nil, int64(pid), 10), '\n'))
}

// pid reads the pid file; 0 if there is none or it makes no sense.
func (d Dir) pid() int {
	b, err := readRegular(filepath.Join(d.Path, pidName), 32)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 0 {
		return 0
	}
	return pid
}

// WriteState replaces state.json by v as JSON. A reader sees the old or the new
// content, never a part, also if the writer is killed. Only the holder of the
// lock calls it.
func (d Dir) WriteState(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", stateName, err)
	}
	return d.write(stateName, append(b, '\n'))
}

// ReadState reads state.json into v. Without a state the error wraps
// fs.ErrNotExist.
func (d Dir) ReadState(v any) error {
	path := filepath.Join(d.Path, stateName)
	b, err := readRegular(path, maxState)
	if err != nil {
		return fmt.Errorf("cannot read the state: %w", err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("cannot read the state in %s: %w", path, err)
	}
	return nil
}

// WriteWanted replaces wanted.json in the folder for logs by v as JSON, as
// [Dir.WriteState] does with state.json. It outlives the instance.
func (d Dir) WriteWanted(v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", wantedName, err)
	}
	return write(d.Logs, wantedName, append(b, '\n'), d.MakeLogs)
}

// ReadWanted reads wanted.json into v. Without one v is left as it is.
func (d Dir) ReadWanted(v any) error {
	path := filepath.Join(d.Logs, wantedName)
	b, err := readRegular(path, maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return fmt.Errorf("cannot read what is wanted in %s: %w", path, err)
	}
	return nil
}

// write replaces a file in the runtime folder.
func (d Dir) write(name string, content []byte) error {
	return write(d.Path, name, content, d.Make)
}

// write replaces a file by rename; make makes the folder if it is not there. It
// does not sync: what lies here describes processes, and none of them outlives the
// machine.
func write(folder, name string, content []byte, make func() error) error {
	f, err := os.CreateTemp(folder, name+".*"+tempSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		if err := make(); err != nil {
			return err
		}
		f, err = os.CreateTemp(folder, name+".*"+tempSuffix)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(folder, name))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cannot write %s: %w", name, err), os.Remove(f.Name()))
	}
	return nil
}

// readRegular reads a file of at most limit bytes. It follows no link and never
// blocks: a fifo in place of the file is refused.
func readRegular(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", path, limit)
	}
	return b, err
}

// sweep removes the pid file of an instance that is gone and what its killed
// writers left.
func (d Dir) sweep() error {
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		return fmt.Errorf("cannot look into the runtime folder: %w", err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if name == pidName || filepath.Ext(name) == tempSuffix {
			err = errors.Join(err, remove(filepath.Join(d.Path, name)))
		}
	}
	return err
}

// remove removes one file; it may be gone already.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot clean up: %w", err)
	}
	return nil
}
