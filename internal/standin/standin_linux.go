package standin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/internal/proc"
)

// Variable makes a stand-in of a test binary; see [Value].
const Variable = "DSERVER_TEST_STANDIN"

// ownerPause is how often a stand-in looks whether its tests are still there.
const ownerPause = time.Second

// Exit codes of what no test has asked for.
const (
	failed  = 98 // the stand-in returned an error, which it has printed
	unknown = 99 // there is none of that name
)

// Run is the beginning of TestMain. In a process that was started as a stand-in it
// runs that one, with the arguments of the process, and gives the exit code; else it
// returns false at once.
//
// A stand-in whose tests were killed is killed soon: what waits to be stopped by a
// test must not wait for ever.
func Run(programs map[string]func(args []string) error) (code int, is bool) {
	value := os.Getenv(Variable)
	if value == "" {
		return 0, false
	}
	name, owner := split(value)
	run, ok := programs[name]
	if !ok {
		fmt.Fprintln(os.Stderr, "no such stand-in:", name)
		return unknown, true
	}
	group.New(context.Background(), nil).Go("owner", func(context.Context) { outlast(owner) })
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return failed, true
	}
	return 0, true
}

// outlast ends this process when the owner is gone. It opens nothing, as package time
// would for its first timer: some stand-ins count their descriptors, or have no more.
func outlast(owner int) {
	for !errors.Is(unix.Kill(owner, 0), unix.ESRCH) {
		pause := unix.NsecToTimespec(int64(ownerPause))
		_ = unix.Nanosleep(&pause, nil) // a signal makes it shorter
	}
	_ = unix.Kill(os.Getpid(), unix.SIGKILL) // nobody is left to hear of an error
}

// Value is what [Variable] has in a stand-in of that name. What a stand-in starts
// belongs to the same tests.
func Value(name string) string {
	owner := os.Getpid()
	if value := os.Getenv(Variable); value != "" {
		_, owner = split(value)
	}
	return name + "@" + strconv.Itoa(owner)
}

func split(value string) (name string, owner int) {
	name, number, _ := strings.Cut(value, "@")
	// Without a number nobody is there, and the stand-in ends.
	owner, err := strconv.Atoi(number)
	if err != nil || owner <= 0 {
		owner = 1 << 30
	}
	return name, owner
}

// Environ is our environment as a stand-in of that name gets it: without what was
// meant for us alone.
func Environ(name string) []string {
	env := slices.DeleteFunc(inherit.Scrub(os.Environ()), func(entry string) bool { return strings.HasPrefix(entry, Variable+"=") })
	// Built with the race detector it would else sleep a second at its exit.
	return append(env, Variable+"="+Value(name), "GORACE=atexit_sleep_ms=0")
}

// Settle is the end of TestMain: it turns the exit code of the tests into a failure
// if they have left a child of ours, dead or alive.
func Settle(code int) int {
	for _, pid := range proc.Children(os.Getpid()) {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // empty for a dead one
		fmt.Fprintf(os.Stderr, "the child %d is left: %q\n", pid, line)
		code = max(code, 1)
	}
	return code
}
