package supervise

import (
	"os"
	"syscall"
	"time"

	"github.com/dserver/dserver/host/cgroup"
)

// Record says what one Spawner has to know of a [Process] of another one to go on
// with it; see [Spawner.Adopt]. It is to be kept as JSON. Fields are only ever
// added.
type Record struct {
	Name       string    `json:"name"`
	Pid        int       `json:"pid"`
	Ticks      uint64    `json:"ticks"` // when it started, by the clock of the system
	Boot       string    `json:"boot"`  // the run of the system that Ticks belongs to
	Invocation string    `json:"invocation"`
	Started    time.Time `json:"started"`
	Group      string    `json:"group,omitempty"` // name of its control group
	Main       *Main     `json:"main,omitempty"`  // if [Process.Follow] was told of one
	Stdout     Stream    `json:"stdout"`
	Stderr     Stream    `json:"stderr"`
	Tail       []string  `json:"tail,omitempty"`
	Exit       *Exit     `json:"exit,omitempty"` // it has exited
}

// Main names a followed process.
type Main struct {
	Pid   int    `json:"pid"`
	Ticks uint64 `json:"ticks"`
}

// Stream is one of the two outputs of a process.
type Stream struct {
	Over bool   `json:"over,omitempty"` // it has come to its end
	Pipe uint64 `json:"pipe,omitempty"` // inode of the pipe
	Rest []byte `json:"rest,omitempty"` // the unfinished line
}

// Pipes are descriptors that belong to a Record. Each may be nil.
type Pipes struct {
	Stdout, Stderr *os.File // the read ends of the process's output
	// Process refers to the process whose exit counts, if it is no child of the
	// Spawner's: it tells the exit status even when the process has been reaped by
	// whoever is its parent.
	Process syscall.Conn
}

// Adoption is what [Spawner.Adopt] needs besides a Record, as in a [Spec].
type Adoption struct {
	// Stdout and Stderr get the output; each first gets what the Record has of an
	// unfinished line.
	Stdout, Stderr Sink
	// Group is the control group that the Record names, or nil.
	Group *cgroup.Group
	// Expiring is as in a Spec.
	Expiring func(*Process)
}
