package supervise

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/dserver/dserver/host/cgroup"
)

// Spec says what to start. Name and Args are needed, and one of Path and
// Executable.
type Spec struct {
	// Name is what errors call the process.
	Name string
	// Path is the absolute path of the executable.
	Path string
	// Executable is an open executable; it is preferred to Path. Exactly this
	// code runs, whatever has happened to its path. Scripts cannot be run so. It
	// stays open.
	Executable *os.File
	// Args is the argument list, the program's own name included.
	Args []string
	// Env is the whole environment, NAME=value each; nothing is inherited. Of two
	// entries with one name the later counts. Every process gets an INVOCATION_ID of
	// its own besides.
	Env []string
	// Dir is the working directory; empty means ours.
	Dir string
	// Stdin becomes the standard input; nil means the null device.
	Stdin syscall.Conn
	// Files become the descriptors 3, 4 and so on; nil leaves a number closed. They
	// stay open here, and so does Stdin, and their blocking mode is not touched.
	Files []syscall.Conn
	// Stdout and Stderr get the output; nil means that it is kept in
	// [Process.Tail] alone.
	Stdout, Stderr Sink

	// Expiring, if it is set, is called when the process whose exit counts has exited
	// and nothing has been done about that: it is the last moment for
	// [Process.Follow], if the process has said who follows and exited at once.
	// Whatever else ends meanwhile waits for it.
	Expiring func(*Process)

	// Group is where the process and all that come of it live; see [Process.Done]
	// for what that means at its end. nil means our own.
	Group *cgroup.Group
	// User is who the process is; nil means who we are. Only a privileged user may
	// say somebody else.
	User *User
	// Umask, Nice and OOMScoreAdj are as the system knows them; nil means ours. All
	// are in force before the program begins. To lower one of the latter two takes
	// a privilege.
	Umask, Nice, OOMScoreAdj *int
	// NoNewPrivs keeps the process and its children from ever gaining privileges.
	NoNewPrivs bool
	// Rlimits are in force before the program begins; resources that are not among
	// them have our limits.
	Rlimits []Rlimit
	// ListenPid puts the number of the process into its environment as LISTEN_PID,
	// by which other people's programs know that LISTEN_FDS is meant for them.
	//
	// With ListenPid, Rlimits or OOMScoreAdj the process begins as /bin/sh and becomes
	// its program, which takes a third longer. Its first argument is then the path
	// that is run, variables whose names are no identifiers are lost in most shells,
	// an Executable stays open in it behind its Files, there is room for no more than
	// 6 Files beside Stdin, and a program that cannot be run for another reason than
	// its path and mode exits with 126 or 127.
	ListenPid bool
}

// gated tells whether something must be done to the process, or be known of it,
// between its birth and the start of its program.
func (s Spec) gated() bool { return s.ListenPid || s.OOMScoreAdj != nil || len(s.Rlimits) > 0 }

// marked tells whether the process inherits something that only a thread can have
// to itself.
func (s Spec) marked() bool {
	return s.Umask != nil || s.Nice != nil || s.NoNewPrivs || s.Group.Threaded()
}

func (s Spec) validate() error {
	if s.Name == "" {
		return errors.New("cannot start a process without a name")
	}
	if len(s.Args) == 0 {
		return fmt.Errorf("cannot start %s: there are no arguments, not even a program name", s.Name)
	}
	if s.Executable == nil && !filepath.IsAbs(s.Path) {
		return fmt.Errorf("cannot start %s: the path %q is not absolute", s.Name, s.Path)
	}
	if err := s.checkLimits(); err != nil {
		return fmt.Errorf("cannot start %s: %w", s.Name, err)
	}
	for _, texts := range [][]string{{s.Path, s.Dir}, s.Args, s.Env} {
		for _, text := range texts {
			if strings.Contains(text, "\x00") {
				return fmt.Errorf("cannot start %s: %q contains a zero byte", s.Name, text)
			}
		}
	}
	if s.Dir == "" {
		return nil
	}
	// The system's own answer does not tell a missing directory from a missing
	// executable.
	if info, err := os.Stat(s.Dir); err != nil {
		return fmt.Errorf("cannot start %s: cannot work in its directory: %w", s.Name, err)
	} else if !info.IsDir() {
		return fmt.Errorf("cannot start %s: %s is not a directory", s.Name, s.Dir)
	}
	return nil
}

// Options are the settings of a Spawner.
type Options struct {
	// Mark is what every INVOCATION_ID begins with, up to 16 hexadecimal digits in
	// lower case; by it [Marked] finds the processes again. Default: none.
	Mark string
}

// Found is a process that somebody's Spawner has started.
type Found struct {
	Pid        int
	Invocation string
	Ticks      uint64 // of the clock from the start of the system to that of the process
}

const invocationLength = 32

func checkMark(mark string) error {
	if len(mark) > invocationLength/2 || strings.Trim(mark, "0123456789abcdef") != "" {
		return fmt.Errorf("the mark %q is not up to 16 hexadecimal digits", mark)
	}
	return nil
}

func newInvocation(mark string) string {
	var id [invocationLength / 2]byte
	rand.Read(id[:]) // never fails
	return mark + hex.EncodeToString(id[:])[len(mark):]
}

const invocationName = "INVOCATION_ID"

// environment completes env. Of entries with one name the last one counts, as it
// does in package os/exec; many programs, Go's among them, would take the first.
func environment(env []string, invocation string) []string {
	env = append(slices.Clone(env), invocationName+"="+invocation)
	seen := make(map[string]bool, len(env))
	unique := make([]string, 0, len(env))
	for _, entry := range slices.Backward(env) {
		name, _, _ := strings.Cut(entry, "=")
		if !seen[name] {
			seen[name] = true
			unique = append(unique, entry)
		}
	}
	slices.Reverse(unique)
	return unique
}

// Exit tells how a process ended.
type Exit struct {
	Code    int            // exit code; -1 if a signal ended it, or if it is unknown
	Signal  syscall.Signal // that ended it; 0 if it exited by itself
	Core    bool           // a core dump was written
	Unknown bool           // somebody else took the exit status
	Started time.Time
	Ended   time.Time
	Swept   int   // processes that it left behind and that were killed
	Left    []int // those of them that did not go in 5 seconds, by pid
}

// Success tells whether the process exited with code 0.
func (e Exit) Success() bool { return e.Code == 0 && e.Signal == 0 && !e.Unknown }

// String is such as "exit status 3" or "signal: killed (core dumped)".
func (e Exit) String() string {
	switch {
	case e.Unknown:
		return "exit status unknown"
	case e.Signal == 0:
		return fmt.Sprintf("exit status %d", e.Code)
	case e.Core:
		return fmt.Sprintf("signal: %v (core dumped)", e.Signal)
	}
	return fmt.Sprintf("signal: %v", e.Signal)
}

// Rung is one step of a [Ladder]: something that asks the process to end, and how
// long it has then.
type Rung struct {
	// Signal goes to the process alone, not to its children: it knows best how to
	// end them.
	Signal syscall.Signal
	// Run is called instead of sending Signal if it is not nil, such as to start a
	// command that stops the process. Its context ends with the rung. If it returns
	// an error, the next rung is due at once.
	Run func(ctx context.Context) error
	// Wait is how long the process and all that came of it have to be gone.
	Wait time.Duration
}

// Ladder is how a process is told to end, rung by rung. Below the last one there
// is always SIGKILL, for the process and all that came of it. When the process itself
// has ended, on whichever rung, what is left of its tree is killed at once. The
// zero Ladder is SIGTERM and 10 seconds.
type Ladder []Rung

func (l Ladder) orDefault() Ladder {
	if len(l) == 0 {
		return Ladder{{Signal: syscall.SIGTERM, Wait: 10 * time.Second}}
	}
	return l
}

// StopReport tells how a stop went.
type StopReport struct {
	Exit Exit
	Sent []syscall.Signal // in order; SIGKILL at the end if it came to that
	Errs []error          // of rungs whose Run failed
	Took time.Duration
}

// Killed tells whether the process had to be killed.
func (r StopReport) Killed() bool {
	return len(r.Sent) > 0 && r.Sent[len(r.Sent)-1] == syscall.SIGKILL
}
