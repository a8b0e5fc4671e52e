package conformance

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/dserver/dserver/host/hosttest"
)

// bad is input that is wrong, and what is said to it.
type bad struct {
	name    string
	prepare func(t *testing.T, in *hosttest.Instance) []string // more environment
	args    string                                             // FOLDER is that of the instance
	code    int
	says    string // a regular expression that the error must match
	lines   int    // of the error, without a hint; default 1
}

// text makes a case of a configuration file.
func text(config string) func(*testing.T, *hosttest.Instance) []string {
	return func(_ *testing.T, in *hosttest.Instance) []string {
		in.ConfigureText(config)
		return nil
	}
}

// TestBadInputGetsOneClearLine gives verbs what they cannot work with while
// nothing runs: each says so in a line (or one a mistake), with the right exit
// code, and leaves nothing behind.
func TestBadInputGetsOneClearLine(t *testing.T) {
	hosttest.New(t, "multi") // builds the program, once for all
	for _, group := range [][]bad{badCommandLines(), badConfigurations(), badFiles(), badAddresses(), badFolders()} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t)
			})
		}
	}
}

func (c bad) run(t *testing.T) {
	in := hosttest.New(t, "multi")
	var env []string
	if c.prepare != nil {
		env = c.prepare(t, in)
	}
	env = append(env, instanceMark+"="+in.Folder)
	args := strings.Split(strings.ReplaceAll(c.args, "FOLDER", in.Folder), " ")
	before := list(t, in.Folder)
	got := oneVerb(t, in.Folder, env, in.Binary, args...)
	if got.Code != c.code {
		t.Errorf("%s: %v\nwant exit code %d", c.args, got, c.code)
	}
	checkError(t, got, c.says, max(c.lines, 1))
	if after := list(t, in.Folder); after != before {
		t.Errorf("it left something behind:\n%s\nbefore:\n%s", after, before)
	}
}

// checkError looks at what was printed: one error of some lines, then perhaps a
// hint, and nothing that only a programmer could read.
func checkError(t *testing.T, got hosttest.Result, says string, lines int) {
	t.Helper()
	text := strings.TrimRight(got.Stderr, "\n")
	if got.Stdout != "" {
		t.Errorf("it is printed where results are: %q", got.Stdout)
	}
	if !regexp.MustCompile(says).MatchString(text) {
		t.Errorf("it says\n%s\nwhich does not match %s", text, says)
	}
	all := strings.Split(text, "\n")
	if last := all[len(all)-1]; strings.HasPrefix(last, "hint: ") {
		all = all[:len(all)-1]
	}
	if !strings.HasPrefix(all[0], "error: cannot ") {
		t.Errorf("it does not begin with what cannot be done: %q", all[0])
	}
	if len(all) != lines {
		t.Errorf("it has %d lines, not %d:\n%s", len(all), lines, text)
	}
	for _, word := range []string{"goroutine ", "panic", "runtime error", ".go:", "%!"} {
		if strings.Contains(text, word) {
			t.Errorf("it shows %q:\n%s", word, text)
		}
	}
}

// list is all that lies in a folder but logs.
func list(t *testing.T, folder string) string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if d != nil && d.IsDir() && (d.Name() == "log" || d.Name() == hosttest.Name && filepath.Base(filepath.Dir(path)) == "run") {
			return nil // the folder of an instance stays for its log
		}
		if err == nil && filepath.Base(filepath.Dir(path)) != "log" {
			names = append(names, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, "\n")
}

const here = " --config FOLDER/dserver.toml --runtime-dir FOLDER/run"

func badCommandLines() []bad {
	return []bad{
		{name: "unknown verb", args: "strat", code: 2, says: `cannot run "strat": app has no such verb; did you mean "start"\?`},
		{name: "unknown ctl verb", args: "ctl stats", code: 2, says: `did you mean "status"\?`},
		{name: "unknown flag", args: "status --nmae x", code: 2, says: `there is no flag --nmae; did you mean "--name"\?`},
		{name: "flag without a value", args: "start --config", code: 2, says: `--config needs a value`},
		{name: "wrong mode", args: "start --mode 7" + here, code: 2, says: `--mode cannot be "7": it must be single or multi`},
		{name: "wrong limit", args: "stop --timeout soon" + here, code: 2, says: `--timeout cannot be "soon": it must be a duration`},
		{name: "negative limit", args: "start -d --timeout -1s" + here, code: 2, says: `--timeout cannot be "-1s"`},
		{name: "wrong output", args: "status --output yaml" + here, code: 2, says: `--output cannot be "yaml"`},
		{name: "name with spaces", args: "status --name a/b --runtime-dir FOLDER/run", code: 1, says: `cannot use "a/b" as the name of an instance`},
		{name: "name of the parent folder", args: "stop --name .. --runtime-dir FOLDER/run", code: 1, says: `cannot use ".." as the name of an instance`},
		{name: "no demo", args: "start --demo", code: 2, says: `there is no flag --demo`},
		{name: "too many arguments", args: "loglevel web info now" + here, code: 2, says: `"now" is too much`},
		{name: "unknown sandbox", args: "start nobody" + here, code: 1, says: `there is no sandbox "nobody"; there are: math, web, shop, faulty`},
		{name: "unknown sandbox in the background", args: "start -d nobody" + here, code: 1, says: `cannot start app: there is no sandbox "nobody"`},
	}
}

func badConfigurations() []bad {
	const toml = `FOLDER/dserver\.toml`
	at := func(line, says string) string {
		return strings.ReplaceAll(`/dserver\.toml:`+line+`: `, "FOLDER", "") + says
	}
	_ = toml
	return []bad{
		{name: "bad TOML", prepare: text("mode = \"multi\"\nname = [\n"), args: "start" + here, code: 1, says: at("2", "bad TOML: ")},
		{name: "bad TOML, checked", prepare: text("mode = = 1\n"), args: "check" + here, code: 1, says: at("1", "bad TOML: ")},
		{name: "unknown key", prepare: text("\nmoed = \"multi\"\n"), args: "start -d" + here, code: 1, says: at("2", `moed: unknown key; did you mean mode\?`)},
		{name: "unknown section", prepare: text("[sandbx.web]\n"), args: "start" + here, code: 1, says: at("1", `sandbx: unknown`)},
		{name: "unknown sandbox in the file", prepare: text("[sandbox.nobody]\n"), args: "start" + here, code: 1, says: at("1", `sandbox\.nobody: the application has no such sandbox`)},
		{name: "wrong type", prepare: text("ready_timeout = 5\n"), args: "start" + here, code: 1, says: at("1", `ready_timeout = 5: wrong type: want a duration such as "30s"`)},
		{name: "impossible value", prepare: text("mode = \"both\"\n"), args: "start" + here, code: 1, says: at("1", `mode = "both": must be single or multi`)},
		{name: "impossible number", prepare: text("[worker.web]\ninstances = -1\n"), args: "start" + here, code: 1, says: at("2", `worker\.web\.instances = -1`)},
		{name: "all mistakes at once", prepare: text("moed = 1\nready_timeout = 5\n"), args: "start" + here, code: 1, says: `(?s)moed.*ready_timeout`, lines: 3},
		{name: "unknown variable", prepare: func(*testing.T, *hosttest.Instance) []string { return []string{"DSERVER_MOED=single"} },
			args: "start" + here, code: 1, says: `DSERVER_MOED`},
		{name: "wrong variable", prepare: func(*testing.T, *hosttest.Instance) []string { return []string{"DSERVER_MODE=both"} },
			args: "start -d" + here, code: 1, says: `DSERVER_MODE.*must be single or multi`},
		{name: "no such overlay", args: "start --env nothere" + here, code: 1, says: `dserver\.nothere\.toml`},
	}
}

func badFiles() []bad {
	return []bad{
		{name: "no such file", args: "start -c FOLDER/none.toml --runtime-dir FOLDER/run", code: 1, says: `none\.toml: cannot read it: no such file`},
		{name: "no such file, in the background", args: "start -d -c FOLDER/none.toml --runtime-dir FOLDER/run", code: 1, says: `none\.toml: cannot read it: no such file`},
		{name: "no such file, for a stop", args: "stop -c FOLDER/none.toml --runtime-dir FOLDER/run", code: 1, says: `none\.toml: cannot read it: no such file`},
		{name: "a folder", args: "start -c FOLDER --runtime-dir FOLDER/run", code: 1, says: `cannot read it: it is not a regular file`},
		{name: "not readable", args: "start -c /proc/self/mem --runtime-dir FOLDER/run", code: 1, says: `/proc/self/mem: cannot read it: `},
		{name: "not allowed", args: "start" + here, code: 1, says: `dserver\.toml: cannot read it: permission denied`, prepare: func(t *testing.T, in *hosttest.Instance) []string {
			if os.Geteuid() == 0 {
				t.Skip("root may read everything")
			}
			if err := os.Chmod(in.Config, 0); err != nil {
				t.Fatal(err)
			}
			return nil
		}},
		{name: "a device", args: "start -c /dev/zero --runtime-dir FOLDER/run", code: 1, says: `cannot read it: it is not a regular file`},
		{name: "unknown kind of file", args: "check -c FOLDER/app --runtime-dir FOLDER/run", code: 1, says: `/app: `},
	}
}

// taken makes the configuration listen where somebody else does.
func taken(t *testing.T, in *hosttest.Instance) []string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	in.ConfigureText("[sandbox.web]\nlisten = \"tcp://" + ln.Addr().String() + "\"\n")
	return nil
}

func takenUnix(t *testing.T, in *hosttest.Instance) []string {
	path := filepath.Join(in.Folder, "taken.sock")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	in.ConfigureText("[sandbox.web]\nlisten = \"unix://" + path + "\"\n")
	return nil
}

func badAddresses() []bad {
	const inUse = `the address is in use \(sandbox web\): stop the program that listens there or change the address`
	listen := func(address string) func(*testing.T, *hosttest.Instance) []string {
		return text("[sandbox.web]\nlisten = \"" + address + "\"\n")
	}
	long := strings.Repeat("s", 100)
	return []bad{
		{name: "port in use", prepare: taken, args: "start" + here, code: 1, says: `cannot listen on tcp://127\.0\.0\.1:\d+: ` + inUse},
		{name: "port in use, single", prepare: taken, args: "start --mode single" + here, code: 1, says: `cannot listen on tcp://127\.0\.0\.1:\d+: ` + inUse},
		{name: "port in use, in the background", prepare: taken, args: "start -d" + here, code: 1, says: `cannot listen on tcp://127\.0\.0\.1:\d+: ` + inUse},
		{name: "socket in use", prepare: takenUnix, args: "start -d" + here, code: 1, says: `cannot listen on unix://.*/taken\.sock: ` + inUse},
		{name: "twice the same address", args: "start" + here, code: 1, says: `tcp://127\.0\.0\.1:4444`,
			prepare: text("[sandbox.web]\nlisten = \"tcp://127.0.0.1:4444\"\n[sandbox.math]\nlisten = \"tcp://127.0.0.1:4444\"\n")},
		{name: "no address", prepare: listen("127.0.0.1:80"), args: "start" + here, code: 1, says: `dserver\.toml:2: sandbox\.web\.listen`},
		{name: "no such port", prepare: listen("tcp://127.0.0.1:99999"), args: "start" + here, code: 1, says: `99999`},
		{name: "no such host", prepare: listen("tcp://256.1.1.1:80"), args: "start" + here, code: 1, says: `256\.1\.1\.1`},
		{name: "not our address", prepare: listen("tcp://192.0.2.1:4444"), args: "start -d" + here, code: 1, says: `cannot listen on tcp://192\.0\.2\.1:4444`},
		{name: "unknown network", prepare: listen("sctp://127.0.0.1:80"), args: "start" + here, code: 1, says: `sctp`},
		{name: "long socket path", prepare: listen("unix:///tmp/" + long + ".sock"), args: "start" + here, code: 1, says: `107`},
		{name: "long runtime folder", prepare: text(""), args: "start --config FOLDER/dserver.toml --runtime-dir FOLDER/" + long, code: 1,
			says: `cannot use socket path .*: it has \d+ bytes and the system allows 107; choose a shorter folder with --runtime-dir`},
		{name: "long runtime folder, in the background", prepare: text(""), args: "start -d --config FOLDER/dserver.toml --runtime-dir FOLDER/" + long, code: 1, says: `allows 107`},
		{name: "socket in a folder that is not there", prepare: listen("unix:///nowhere/web.sock"), args: "start -d" + here, code: 1,
			says: `cannot listen on unix:///nowhere/web\.sock`},
	}
}

// owned makes a runtime folder that is not fit for use.
func owned(change func(path string) error) func(*testing.T, *hosttest.Instance) []string {
	return func(t *testing.T, in *hosttest.Instance) []string {
		if err := change(ownFolder(in)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			// Who looks whether the instance runs would stumble over it as well.
			if err := os.RemoveAll(ownFolder(in)); err != nil {
				t.Error(err)
			}
		})
		return nil
	}
}

func badFolders() []bad {
	folder := func(mode os.FileMode) func(string) error {
		return func(path string) error {
			if err := os.Mkdir(path, 0o700); err != nil {
				return err
			}
			return os.Chmod(path, mode)
		}
	}
	link := func(path string) error { return os.Symlink(filepath.Dir(path), path) }
	stranger := func(path string) error {
		if err := os.Mkdir(path, 0o700); err != nil {
			return err
		}
		return os.Chown(path, 12345, 12345)
	}
	linkIn := func(name string) func(string) error {
		return func(path string) error {
			if err := os.Mkdir(path, 0o700); err != nil {
				return err
			}
			return os.Symlink("/etc/hostname", filepath.Join(path, name))
		}
	}
	all := []bad{
		{name: "folder is a link", prepare: owned(link), args: "start" + here, code: 1, says: `cannot use folder .*/run/app: it is a link`},
		{name: "folder is a link, in the background", prepare: owned(link), args: "start -d" + here, code: 1, says: `cannot use folder .*/run/app: it is a link`},
		{name: "folder is open", prepare: owned(folder(0o755)), args: "start" + here, code: 1, says: `others may enter it \(mode 0755\); run: chmod 700 `},
		{name: "folder is a file", prepare: owned(func(path string) error { return os.WriteFile(path, nil, 0o600) }), args: "start" + here, code: 1, says: `it is not a folder`},
		{name: "lock is a link", prepare: owned(linkIn("lock")), args: "start" + here, code: 1, says: `cannot open the lock`},
		{name: "log folder is a link", prepare: owned(linkIn("log")), args: "start" + here, code: 1, says: `cannot use folder .*/log: it is a link`},
		{name: "control socket is a link", prepare: owned(linkIn("ctl.sock")), args: "start" + here, code: 1, says: `ctl\.sock`},
		{name: "parent is a file", args: "start --config FOLDER/dserver.toml --runtime-dir FOLDER/app", code: 1, says: `not a directory`},
		{name: "parent is open", args: "start" + here, code: 1, says: `others may write to it`, prepare: func(t *testing.T, in *hosttest.Instance) []string {
			if err := os.Chmod(runtimeFolder(in), 0o777); err != nil {
				t.Fatal(err)
			}
			return nil
		}},
	}
	if os.Geteuid() == 0 {
		return append(all, bad{name: "folder of a stranger", prepare: owned(stranger), args: "start" + here, code: 1,
			says: `cannot use folder .*/run/app: it belongs to user 12345, not to 0`})
	}
	return append(all, bad{name: "folder of a stranger", args: "start --config FOLDER/dserver.toml --name usr --runtime-dir /", code: 1,
		says: `belongs to user 0`})
}

// TestSecondStartTouchesNothing: the one that runs keeps its files, and the other
// tells its pid.
func TestSecondStartTouchesNothing(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Start()
		pid := in.Info().Pid
		before := files(t, in)
		for _, args := range [][]string{{"start"}, {"start", "-d"}, {"start", "--mode", "single"}} {
			got := in.Command(in.Binary, args[0], args[1:]...)
			if got.Code != 1 {
				t.Errorf("%v: %v\nwant exit code 1", args, got)
			}
			checkError(t, got, `running already with pid `+itoa(pid)+`\b`, 1)
			if after := files(t, in); after != before {
				t.Errorf("%v: files were\n%s\nand are\n%s", args, before, after)
			}
		}
		if _, err := get(t.Context(), in.Addr("web", "tcp"), "/"); err != nil {
			t.Error(err)
		}
	})
}

// files describes what identifies an instance's files.
func files(t *testing.T, in *hosttest.Instance) string {
	t.Helper()
	var b strings.Builder
	for _, name := range []string{"pid", "ctl.sock", "lock", "state.json", "web.sock"} {
		info, err := os.Lstat(filepath.Join(ownFolder(in), name))
		if err != nil {
			t.Fatal(err)
		}
		stat := info.Sys().(*syscall.Stat_t)
		b.WriteString(name + " " + info.Mode().String() + " inode " + itoa(int(stat.Ino)) + " " + info.ModTime().String() + "\n")
	}
	return b.String()
}

// TestStaleFilesFoolNobody leaves files as a crash does, with the pid of a
// stranger: no verb takes the stranger for the instance or touches it, and a start
// goes well.
func TestStaleFilesFoolNobody(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		stranger := exec.Command("sleep", "600")
		if err := stranger.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = stranger.Process.Kill() // at the latest here it has to end
			_ = stranger.Wait()
		}()
		leaveBehind(t, in, stranger.Process.Pid)
		for _, line := range []string{"status", "stop", "quit", "reload", "restart web", "events"} {
			words := strings.Fields(line)
			if got := in.Run(words[0], words[1:]...); got.Code != 3 {
				t.Errorf("%s: %v\nwant exit code 3", line, got)
			}
		}
		in.Start()
		if text, err := os.ReadFile(filepath.Join(ownFolder(in), "pid")); err != nil || strings.TrimSpace(string(text)) != itoa(in.Info().Pid) {
			t.Errorf("the pid file has %q, %v; the master is %d", text, err, in.Info().Pid)
		}
		in.Stop()
		in.AssertGone()
		if !alive(stranger.Process.Pid) {
			t.Error("the stranger was killed")
		}
	})
}

// leaveBehind makes the files that an instance leaves when it is killed.
func leaveBehind(t *testing.T, in *hosttest.Instance, pid int) {
	t.Helper()
	if err := os.Mkdir(ownFolder(in), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"lock": "", "pid": itoa(pid) + "\n", "state.json": `{"name":"app","pid":` + itoa(pid) + `}`} {
		if err := os.WriteFile(filepath.Join(ownFolder(in), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"ctl.sock", "web.sock", "math.sock"} {
		ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(ownFolder(in), name), Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		ln.SetUnlinkOnClose(false)
		if err := ln.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
