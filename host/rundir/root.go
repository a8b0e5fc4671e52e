package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// EnvDir is the environment variable that stands in for --runtime-dir.
const EnvDir = "DSERVER_RUNTIME_DIR"

// Root is where the instances of one user keep their folders.
type Root struct {
	// Path is absolute; instance NAME owns Path/NAME.
	Path string
	// Logs is absolute; instance NAME logs to Logs/NAME. It is empty if Path
	// was given by --runtime-dir or DSERVER_RUNTIME_DIR, or if the user has no
	// home folder: logs then lie in Path/NAME/log, so that an instance that is
	// thrown away leaves nothing elsewhere.
	Logs string
}

// Find tells where instances keep their folders. flag is the value of
// --runtime-dir, empty if it was not given. Nothing is created.
//
// Logs of root lie in /var/log/dserver, those of others in
// $XDG_STATE_HOME/dserver (default ~/.local/state/dserver), see [Root].
func Find(flag string) (Root, error) {
	return find(flag, facts{uid: os.Geteuid(), env: os.Getenv, temp: os.TempDir()})
}

// facts are what the choice of folders depends on.
type facts struct {
	uid  int
	env  func(string) string
	temp string
}

func find(flag string, f facts) (Root, error) {
	if flag == "" {
		flag = f.env(EnvDir)
	}
	if flag != "" {
		path, err := filepath.Abs(flag)
		if err != nil {
			return Root{}, fmt.Errorf("cannot make the runtime folder %s absolute: %w", flag, err)
		}
		return Root{Path: path}, nil
	}
	if f.uid == 0 {
		return Root{Path: "/run/dserver", Logs: "/var/log/dserver"}, nil
	}
	return Root{Path: f.userRuntime(), Logs: f.userLogs()}, nil
}

// userRuntime trusts $XDG_RUNTIME_DIR only if it is a folder of this very user:
// after su or sudo the variable often still names the folder of another.
func (f facts) userRuntime() string {
	if dir := f.env("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		if info, err := os.Stat(dir); err == nil && info.IsDir() && owner(info) == f.uid {
			return filepath.Join(dir, "dserver")
		}
	}
	return filepath.Join(f.temp, "dserver-"+strconv.Itoa(f.uid))
}

func (f facts) userLogs() string {
	if dir := f.env("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "dserver")
	}
	if home := f.env("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "dserver")
	}
	return ""
}

func owner(info fs.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}

// Dir is the folder of the instance called name. Nothing is created. The error
// says what is wrong with the name.
func (r Root) Dir(name string) (Dir, error) {
	if err := CheckName(name); err != nil {
		return Dir{}, fmt.Errorf("cannot use %q as the name of an instance: %w", name, err)
	}
	d := Dir{Name: name, Path: filepath.Join(r.Path, name)}
	d.Logs = filepath.Join(d.Path, "log")
	if r.Logs != "" {
		d.Logs = filepath.Join(r.Logs, name)
	}
	return d, nil
}

// List looks at all instances of this root and returns those that run, sorted by
// name. Folders of others and those that are not an instance's are passed over;
// a root that does not exist holds no instance.
func (r Root) List() ([]Status, error) {
	entries, err := os.ReadDir(r.Path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list running instances: %w", err)
	}
	var running []Status
	for _, entry := range entries {
		d, err := r.Dir(entry.Name())
		if err != nil || !entry.IsDir() {
			continue
		}
		if s, err := d.Peek(); err == nil && s.Running {
			running = append(running, s)
		}
	}
	return running, nil
}

// CheckName tells whether name can name an instance, a worker or a sandbox: 1 to
// 63 characters of a-z, 0-9 and -, with no - at either end.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("a name must not be empty")
	case len(name) > 63:
		return fmt.Errorf("a name has at most 63 characters, not %d", len(name))
	case name[0] == '-' || name[len(name)-1] == '-':
		return errors.New("a name must not begin or end with -")
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return errors.New("a name may only have a-z, 0-9 and -")
		}
	}
	return nil
}
