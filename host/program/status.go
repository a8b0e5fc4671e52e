package program

import (
	"slices"
	"time"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/supervise"
)

// Status is one program as a whole.
type Status struct {
	Name      string
	State     State // of the instance that is worst off
	Wanted    bool  // it is to run
	Command   []string
	Group     string
	Instances []Instance
}

// Instance is one place for a process of a program.
type Instance struct {
	Instance   int // from 1
	Generation int // counts starts, from 1; 0 before the first
	State      State
	Pid        int       // of the main process; 0 without one
	Since      time.Time // of State
	Restarts   int       // by the policy, since somebody last started it
	Next       time.Time // in backoff: of the next start
	Reason     string    // why it is in this state
	By         string    // who asked for it
	Says       string    // what the program last said with STATUS=
	Output     []string  // in fatal: the last lines of its output
	History    []Run     // the last 10 runs that are over, oldest first

	serial uint64          // of the last wish that it knows
	exe    fileID          // of what runs
	def    *config.Program // of what runs; nil without a run

	// For another master.
	last     int // generation begun
	wanted   bool
	renewing string
	counts   supervise.Counts
	runs     []glimpse
	blocked  string // what it needs and does not come by itself
}

// Run is one run of a process that is over. A start that failed is one as well.
type Run struct {
	Generation int       `json:"generation"`
	Pid        int       `json:"pid,omitempty"` // 0 if there was never a process
	Started    time.Time `json:"started"`
	Ended      time.Time `json:"ended"`
	Code       int       `json:"code"`             // exit code; -1 if a signal ended it or it is unknown
	Signal     string    `json:"signal,omitempty"` // that ended it, such as SIGKILL
	Cause      string    `json:"cause"`            // such as: exit status 3; signal: killed (out of memory)
	By         string    `json:"by,omitempty"`     // who asked for the end; empty if it ended by itself
	Swept      int       `json:"swept,omitempty"`  // processes that it left behind and that were killed
}

// maxHistory is how many runs an instance remembers.
const maxHistory = 10

// remember appends to a history that others may be reading.
func remember(history []Run, r Run) []Run {
	if len(history) >= maxHistory {
		history = history[len(history)-maxHistory+1:]
	}
	return append(slices.Clone(history), r)
}

// runOf tells of a run that ended with exit, or with err if it never had a
// process.
func runOf(r *run, exit supervise.Exit, cause string) Run {
	out := Run{
		Generation: r.number, Started: r.began, Ended: exit.Ended, Code: exit.Code,
		Cause: cause, By: r.endedBy, Swept: exit.Swept,
	}
	if r.child != nil {
		out.Pid = r.pid
	}
	if exit.Signal != 0 {
		out.Signal = signalName(exit.Signal)
	}
	return out
}

// Result is what came of a command for one program.
type Result struct {
	Program string
	State   State    // afterwards
	Err     error    // nil if it is as it was asked to be
	Output  []string // of what failed: the last lines
	Remark  string   // what is worth knowing though nothing failed
}
