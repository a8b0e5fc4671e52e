package supervise_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"errors"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/supervise"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs the privilege to become another user")
	}
}

// output runs a program to its end and gives its lines.
func output(t testing.TB, s *supervise.Spawner, spec supervise.Spec) []string {
	t.Helper()
	out := newLines()
	spec.Stdout = out.sink()
	p := start(t, s, spec)
	if exit := await(t, p); !exit.Success() {
		t.Fatalf("%s: %v, %q", spec.Name, exit, p.Tail())
	}
	return out.list()
}

func program(path string, args ...string) supervise.Spec {
	return supervise.Spec{Name: filepath.Base(path), Path: path, Args: append([]string{path}, args...)}
}

// status gives what the system says of a process that spec describes.
func status(t testing.TB, s *supervise.Spawner, spec supervise.Spec) map[string]string {
	t.Helper()
	spec.Name, spec.Path, spec.Args = "cat", "/bin/cat", []string{"cat", "/proc/self/status"}
	return fields(output(t, s, spec))
}

func fields(lines []string) map[string]string {
	all := make(map[string]string)
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		all[name] = strings.Join(strings.Fields(value), " ")
	}
	return all
}

func TestProcessIsWhoTheSpecSays(t *testing.T) {
	needRoot(t)
	s := spawner(t)
	ours := status(t, s, supervise.Spec{})
	for _, user := range []supervise.User{
		{UID: 65534, GID: 65534},
		{UID: 1, GID: 2, Groups: []int{7, 5}},
		{UID: 0, GID: 0},
		{UID: 0, GID: 0, Groups: []int{4000000000}},
	} {
		got := status(t, s, supervise.Spec{User: &user})
		ids := func(id int) string { return strings.TrimSpace(strings.Repeat(fmt.Sprintf("%d ", id), 4)) }
		groups := slices.Sorted(slices.Values(user.Groups))
		want := strings.Trim(fmt.Sprint(groups), "[]")
		if user.GID == 0 && got["Groups"] == "0" {
			got["Groups"] = "" // the main group may be listed
		}
		if got["Uid"] != ids(user.UID) || got["Gid"] != ids(user.GID) || got["Groups"] != want {
			t.Errorf("%+v is uid %q, gid %q, groups %q", user, got["Uid"], got["Gid"], got["Groups"])
		}
	}
	if got := status(t, s, supervise.Spec{}); got["Uid"] != ours["Uid"] || got["Groups"] != ours["Groups"] {
		t.Errorf("a process without a user is %q, %q", got["Uid"], got["Groups"])
	}
	if n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); n != 1 || err != nil {
		t.Errorf("we are dumpable: %d, %v", n, err)
	}
}

// An ordinary user may say who it is, and nobody else.
func TestOwnUserNeedsNoPrivilege(t *testing.T) {
	groups, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	s := spawner(t)
	user := &supervise.User{UID: os.Getuid(), GID: os.Getgid(), Groups: groups}
	if got := status(t, s, supervise.Spec{User: user}); !strings.HasPrefix(got["Uid"], strconv.Itoa(os.Getuid())+" ") {
		t.Errorf("it is %q", got["Uid"])
	}
	if os.Geteuid() == 0 {
		return
	}
	spec := program("/bin/true")
	spec.User = &supervise.User{UID: user.UID + 1, GID: user.GID}
	if _, err := s.Start(spec); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "as user ") {
		t.Errorf("%v does not say who it cannot become", err)
	}
}

func TestUmaskNiceAndPrivileges(t *testing.T) {
	s := spawner(t)
	ours := status(t, s, supervise.Spec{})
	umask, nice := 0o027, 7
	for range 20 {
		got := status(t, s, supervise.Spec{Umask: &umask, NoNewPrivs: true})
		if got["Umask"] != "0027" || got["NoNewPrivs"] != "1" {
			t.Fatalf("umask %q, no_new_privs %q", got["Umask"], got["NoNewPrivs"])
		}
		spec := program("/usr/bin/nice")
		spec.Nice = &nice
		if got := output(t, s, spec); !slices.Equal(got, []string{"7"}) {
			t.Fatalf("nice %q", got)
		}
		again := status(t, s, supervise.Spec{})
		if again["Umask"] != ours["Umask"] || again["NoNewPrivs"] != ours["NoNewPrivs"] {
			t.Fatalf("the next one has umask %q, no_new_privs %q", again["Umask"], again["NoNewPrivs"])
		}
	}
	// No thread of ours keeps any of it.
	deadline := time.Now().Add(20 * time.Second)
	for marked := true; marked; {
		marked = false
		files, err := filepath.Glob("/proc/self/task/*/status")
		if err != nil || len(files) == 0 {
			t.Fatalf("%q, %v", files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				continue
			}
			all := fields(strings.Split(string(text), "\n"))
			tid, _ := strconv.Atoi(all["Pid"])
			priority, err := unix.Getpriority(unix.PRIO_PROCESS, tid)
			if all["Umask"] != ours["Umask"] || all["NoNewPrivs"] != ours["NoNewPrivs"] || err == nil && priority == 20-nice {
				marked = true
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("a thread of ours is marked")
		}
		runtime.Gosched()
	}
}

// limits gives the hard and soft limits of a process that spec describes.
func limits(t testing.TB, s *supervise.Spawner, spec supervise.Spec) map[string]string {
	t.Helper()
	spec.Name, spec.Path, spec.Args = "cat", "/bin/cat", []string{"cat", "/proc/self/limits"}
	all := make(map[string]string)
	for _, line := range output(t, s, spec) {
		all[strings.TrimSpace(line[:26])] = strings.Join(strings.Fields(line[26:])[:2], " ")
	}
	return all
}

func TestLimitsAreInForce(t *testing.T) {
	s := spawner(t)
	before := limits(t, s, supervise.Spec{})
	const all = ^uint64(0)
	got := limits(t, s, supervise.Spec{Rlimits: []supervise.Rlimit{
		{Resource: unix.RLIMIT_NOFILE, Soft: 30, Hard: 40},
		{Resource: unix.RLIMIT_CORE},
		{Resource: unix.RLIMIT_FSIZE, Soft: 1 << 20, Hard: 1 << 30},
		{Resource: unix.RLIMIT_MSGQUEUE, Soft: 1000, Hard: 1000},
	}})
	for name, want := range map[string]string{
		"Max open files": "30 40", "Max core file size": "0 0",
		"Max file size": "1048576 1073741824", "Max msgqueue size": "1000 1000",
		"Max stack size": before["Max stack size"], "Max cpu time": before["Max cpu time"],
	} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	if before["Max file size"] == "unlimited unlimited" {
		got := limits(t, s, supervise.Spec{Rlimits: []supervise.Rlimit{{Resource: unix.RLIMIT_FSIZE, Soft: 7, Hard: all}}})
		if got["Max file size"] != "7 unlimited" {
			t.Errorf("no limit is %q", got["Max file size"])
		}
	}
}

// Who tries to exceed a limit cannot.
func TestLimitsCannotBeExceeded(t *testing.T) {
	s := spawner(t)
	spec := child(t, "open")
	spec.Rlimits = []supervise.Rlimit{{Resource: unix.RLIMIT_NOFILE, Soft: 40, Hard: 40}}
	if got := output(t, s, spec); len(got) != 1 || got[0] != "40 too many open files" {
		t.Errorf("open files: %q", got)
	}
	file := filepath.Join(t.TempDir(), "big")
	spec = program("/bin/sh", "-c", `head -c 3000000 /dev/zero >"$1"; stat -c %s "$1"`, "sh", file)
	spec.Rlimits = []supervise.Rlimit{{Resource: unix.RLIMIT_FSIZE, Soft: 1 << 20, Hard: 1 << 20}}
	if got := output(t, s, spec); !slices.Equal(got, []string{"1048576"}) {
		t.Errorf("file size: %q", got)
	}
	spec = program("/bin/sh", "-c", "while :; do :; done")
	spec.Rlimits = []supervise.Rlimit{{Resource: unix.RLIMIT_CPU, Soft: 1, Hard: 2}}
	if exit := await(t, start(t, s, spec)); exit.Signal != syscall.SIGXCPU {
		t.Errorf("CPU time: %v", exit)
	}
}

// openAll opens files until there are no more to be had.
func openAll([]string) error {
	for {
		_, err := unix.Open(os.DevNull, unix.O_RDONLY, 0)
		if err != nil {
			fmt.Println(highest()+1, err)
			return nil
		}
	}
}

// highest is the highest open descriptor.
func highest() int {
	for n := 4096; n >= 0; n-- {
		if _, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0); err == nil {
			return n
		}
	}
	return -1
}

func TestOOMScoreIsInForce(t *testing.T) {
	s := spawner(t)
	adj := 321
	spec := program("/bin/cat", "/proc/self/oom_score_adj")
	spec.OOMScoreAdj = &adj
	if got := output(t, s, spec); !slices.Equal(got, []string{"321"}) {
		t.Errorf("got %q", got)
	}
	spec.OOMScoreAdj = nil
	if got := output(t, s, spec); slices.Equal(got, []string{"321"}) {
		t.Error("the next one has it, too")
	}
}

func TestLowerOOMScoreTakesAPrivilege(t *testing.T) {
	adj := -1000
	spec := program("/bin/cat", "/proc/self/oom_score_adj")
	spec.OOMScoreAdj = &adj
	s, before := spawner(t), descriptors(t)
	p, err := s.Start(spec)
	if err != nil {
		if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "oom_score_adj to -1000") {
			t.Error(err)
		}
		if after := descriptors(t); after != before {
			t.Errorf("%d descriptors before, %d after", before, after)
		}
		return
	}
	if await(t, p); !slices.Equal(p.Tail(), []string{"-1000"}) {
		t.Errorf("got %q", p.Tail())
	}
}

// What goes through the shell arrives as it would without it.
func TestShellLeavesNoTrace(t *testing.T) {
	s := spawner(t)
	env := []string{"A=1", "ODD=two\nlines $HOME `id` \\ \" '", "EMPTY="}
	spec := program("/usr/bin/env")
	spec.Env = env
	spec.Rlimits = []supervise.Rlimit{{Resource: unix.RLIMIT_CORE}}
	got := slices.DeleteFunc(output(t, s, spec), func(line string) bool { return strings.HasPrefix(line, "INVOCATION_ID=") })
	if want := strings.Split(strings.Join(env, "\n"), "\n"); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
		t.Errorf("the environment is %q", got)
	}
	spec.Env = []string{"PWD=/somewhere", "OLDPWD=/else"}
	if got := output(t, s, spec); !slices.Contains(got, "OLDPWD=/else") {
		t.Errorf("the environment is %q", got)
	}
	args := []string{"", "a b", "$(id)", "-n", "*", "'", "x\ny"}
	spec = program("/usr/bin/printf", append([]string{"[%s]\n"}, args...)...)
	spec.Rlimits = []supervise.Rlimit{{Resource: unix.RLIMIT_CORE}}
	if got, want := strings.Join(output(t, s, spec), "\n"), "["+strings.Join(args, "]\n[")+"]"; got != want {
		t.Errorf("the arguments are %q, want %q", got, want)
	}
	spec = program("/bin/ls", "-l", "/proc/self/fd")
	spec.Rlimits, spec.Files = []supervise.Rlimit{{Resource: unix.RLIMIT_CORE}}, handed(t, "a", "b")
	listed := strings.Join(output(t, s, spec), "\n")
	if !strings.Contains(listed, " 0 -> /dev/null") || strings.Contains(listed, " 6 -> ") {
		t.Errorf("the descriptors are\n%s", listed)
	}
}

func TestShellSaysWhatCannotBeRun(t *testing.T) {
	s := spawner(t)
	spec := program(t.TempDir() + "/none")
	spec.ListenPid = true
	if _, err := s.Start(spec); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "/none: ") {
		t.Errorf("%v", err)
	}
}

func TestListenPidIsTheProgramsOwn(t *testing.T) {
	s := spawner(t)
	for range 5 {
		spec := program("/bin/sh", "-c", "echo $LISTEN_PID $$; cat <&3; cat <&4")
		spec.ListenPid, spec.Files = true, handed(t, "three\n", "four\n")
		out := newLines()
		spec.Stdout = out.sink()
		p := start(t, s, spec)
		if exit := await(t, p); !exit.Success() {
			t.Fatalf("%v, %q", exit, p.Tail())
		}
		if want := []string{fmt.Sprintf("%d %d", p.Pid(), p.Pid()), "three", "four"}; !slices.Equal(out.list(), want) {
			t.Errorf("got %q, want %q", out.list(), want)
		}
	}
}

func TestStandardInput(t *testing.T) {
	s := spawner(t)
	for _, limited := range []bool{false, true} {
		spec := program("/bin/sh", "-c", "cat; cat <&3; ls /proc/self/fd | wc -l")
		spec.Stdin, spec.Files = handed(t, "in\n")[0], handed(t, "three\n")
		if limited {
			spec.Rlimits = []supervise.Rlimit{{Resource: unix.RLIMIT_CORE}}
		}
		if got := output(t, s, spec); !slices.Equal(got, []string{"in", "three", "5"}) {
			t.Errorf("limited %t: got %q", limited, got)
		}
	}
	spec := program("/bin/true")
	spec.Stdin, spec.Files, spec.ListenPid = handed(t, "in\n")[0], handed(t, "1", "2", "3", "4", "5", "6", "7"), true
	if _, err := s.Start(spec); err == nil || !strings.Contains(err.Error(), "no room for a standard input") {
		t.Errorf("%v", err)
	}
}

func TestNilFileIsAClosedNumber(t *testing.T) {
	s := spawner(t)
	for _, limited := range []bool{false, true} {
		files := handed(t, "4", "7")
		spec := program("/bin/ls", "/proc/self/fd/")
		spec.Files = []syscall.Conn{nil, files[0], nil, nil, files[1], nil}
		if limited {
			spec.ListenPid = true
		}
		if got := output(t, s, spec); !slices.Equal(got, []string{"0", "1", "2", "3", "4", "7"}) { // 3 is the directory that ls reads
			t.Errorf("limited %t: the descriptors are %q", limited, got)
		}
	}
}

// An open executable goes through the shell as well.
func TestLimitedExecutable(t *testing.T) {
	s := spawner(t)
	spec := child(t, "print", "a", "b")
	app, err := os.Open(spec.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	spec.Executable, spec.Path = app, ""
	spec.Rlimits = []supervise.Rlimit{{Resource: unix.RLIMIT_CORE}}
	if got := output(t, s, spec); !slices.Equal(got, []string{"a b"}) {
		t.Errorf("got %q", got)
	}
}

func TestImpossibleIdentityIsRefused(t *testing.T) {
	s, before := spawner(t), descriptors(t)
	low, high := -1, 1<<32-1
	for want, change := range map[string]func(*supervise.Spec){
		"-1 is no number of a user":          func(p *supervise.Spec) { p.User = &supervise.User{UID: low} },
		"4294967295 is no number of a user":  func(p *supervise.Spec) { p.User = &supervise.User{Groups: []int{high}} },
		"umask -1 is not":                    func(p *supervise.Spec) { p.Umask = &low },
		"nice value 4294967295 is not":       func(p *supervise.Spec) { p.Nice = &high },
		"oom_score_adj 4294967295 is not":    func(p *supervise.Spec) { p.OOMScoreAdj = &high },
		"the soft limit 2 of resource 7":     func(p *supervise.Spec) { p.Rlimits = []supervise.Rlimit{{Resource: 7, Soft: 2, Hard: 1}} },
		"cannot limit resource 99 to 0 and ": func(p *supervise.Spec) { p.Rlimits = []supervise.Rlimit{{Resource: 99}} },
	} {
		spec := program("/bin/true")
		change(&spec)
		if _, err := s.Start(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// restrict becomes limitOther without the privilege to limit others, as the
// defaults of containers are, and without the call by which a thread gets an
// umask of its own.
func restrict([]string) error {
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_RESOURCE, 0, 0, 0); err != nil {
		return err
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: unix.SYS_UNSHARE},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0)
	if err != nil {
		return err
	}
	spec, err := childSpec("limit other")
	if err != nil {
		return err
	}
	return syscall.Exec(spec.Path, spec.Args, spec.Env)
}

// limitOther starts another user's process with a limit and an umask.
func limitOther([]string) error {
	umask := 0o027
	p, err := supervise.New(supervise.Options{}).Start(supervise.Spec{
		Name: "cat", Path: "/bin/cat", Args: []string{"cat", "/proc/self/limits", "/proc/self/status"},
		User: &supervise.User{UID: 65534, GID: 65534}, Umask: &umask,
		Rlimits: []supervise.Rlimit{{Resource: unix.RLIMIT_NOFILE, Soft: 30, Hard: 40}},
		Stdout:  supervise.EachLine(func(line []byte, _ bool) { fmt.Println(string(line)) }),
	})
	if err != nil {
		return err
	}
	<-p.Done()
	return nil
}

func TestLimitsInAContainerWithFewPrivileges(t *testing.T) {
	needRoot(t)
	got := output(t, spawner(t), child(t, "restrict"))
	limited := slices.ContainsFunc(got, func(line string) bool {
		return strings.HasPrefix(line, "Max open files") && slices.Equal(strings.Fields(line)[3:5], []string{"30", "40"})
	})
	if all := fields(got); !limited || all["Umask"] != "0027" || !strings.HasPrefix(all["Uid"], "65534 ") {
		t.Errorf("got %q", got)
	}
}
