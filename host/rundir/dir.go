package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// MaxSocketPath is the longest path, in bytes, that a unix socket can have.
const MaxSocketPath = 107

// Names of the files in a runtime folder.
const (
	lockName   = "lock"
	pidName    = "pid"
	stateName  = "state.json"
	socketName = "ctl.sock"
	wantedName = "wanted.json" // in the folder for logs
	tempSuffix = ".tmp"
)

// Dir is the runtime folder of one instance. Get one from [Root.Dir].
type Dir struct {
	Name string // of the instance
	Path string // of the folder, absolute
	Logs string // of the folder for its logs, absolute
}

// Reserved tells whether name, a file name in a runtime folder, is taken by the
// instance itself. Services that put files there must not use it.
func Reserved(name string) bool {
	switch name {
	case lockName, pidName, stateName, socketName, "log", "peer":
		return true
	}
	return filepath.Ext(name) == tempSuffix
}

// Make creates the folder and those above it, or checks the folder if it exists:
// it must be a folder of this user with mode 0700 and no link. It is called again
// whenever the folder has vanished, as $XDG_RUNTIME_DIR does at logout.
func (d Dir) Make() error {
	root := filepath.Dir(d.Path)
	if err := os.MkdirAll(root, 0o700); err != nil {
		return fmt.Errorf("cannot make the runtime folder: %w", err)
	}
	if err := checkParent(root); err != nil {
		return err
	}
	return private(d.Path)
}

// MakeLogs creates the folder for logs, or checks it as [Dir.Make] does.
func (d Dir) MakeLogs() error {
	if err := os.MkdirAll(filepath.Dir(d.Logs), 0o700); err != nil {
		return fmt.Errorf("cannot make the log folder: %w", err)
	}
	return private(d.Logs)
}

// private makes one folder that nobody else can enter.
func private(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("cannot make folder %s: %w", path, err)
	}
	return checkFolder(path, false)
}

// checkFolder refuses a folder that somebody else could have put there. Root may
// read the folders of others, but works in its own alone.
func checkFolder(path string, reading bool) error {
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("cannot use folder %s: %w", path, err)
	}
	uid := os.Geteuid()
	mine := owner(info) == uid || reading && uid == 0
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("cannot use folder %s: it is a link", path)
	case !info.IsDir():
		return fmt.Errorf("cannot use folder %s: it is not a folder", path)
	case !mine:
		return fmt.Errorf("cannot use folder %s: it belongs to user %d, not to %d", path, owner(info), uid)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("cannot use folder %s: others may enter it (mode %04o); run: chmod 700 %s",
			path, info.Mode().Perm(), path)
	}
	return nil
}

// checkParent refuses a parent in which another user could replace our folder:
// one that others may write to and that does not keep them off files that are
// not theirs (the sticky bit, as on a temporary folder).
func checkParent(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("cannot use the runtime folder: %w", err)
	}
	uid := owner(info)
	switch {
	case uid != 0 && uid != os.Geteuid():
		return fmt.Errorf("cannot use runtime folder %s: it belongs to user %d", path, uid)
	case info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0:
		return fmt.Errorf("cannot use runtime folder %s: others may write to it (mode %04o)", path, info.Mode().Perm())
	}
	return nil
}

// Socket is the path of the control socket. A path over [MaxSocketPath] is an
// error that says what to do.
func (d Dir) Socket() (string, error) {
	path := filepath.Join(d.Path, socketName)
	return path, CheckSocket(path)
}

// CheckSocket tells whether path is short enough for a unix socket.
func CheckSocket(path string) error {
	if n := len(path); n > MaxSocketPath {
		return fmt.Errorf("cannot use socket path %s: it has %d bytes and the system allows %d; "+
			"choose a shorter folder with --runtime-dir", path, n, MaxSocketPath)
	}
	return nil
}
