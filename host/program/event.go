package program

import (
	"fmt"
	"time"
)

// Event is something that happened to a program. The set is closed: see the types
// below.
type Event interface{ event() }

// Place names one run of one instance.
type Place struct {
	Program    string
	Instance   int // from 1
	Generation int // 0 if it never ran
	Pid        int // 0 without a process
}

// String is program/instance.generation.
func (p Place) String() string { return fmt.Sprintf("%s/%d.%d", p.Program, p.Instance, p.Generation) }

// Moved: an instance changed state.
type Moved struct {
	Place    Place
	From, To State
	Reason   string
	By       string
	Next     time.Time // of the next start, if it waits for one
}

// Ended: a process has ended, whoever wanted it.
type Ended struct {
	Place  Place
	Run    Run
	Output []string // its last lines, if it was a failure
}

// Replaced: a new process has taken over from one that is well, which is told to
// end now.
type Replaced struct {
	Place Place // of the new one
	Old   Place
	By    string
}

// Said: a program told what it does with STATUS=.
type Said struct {
	Place Place
	Text  string
}

// Warned: something is not as it was asked for, and the program runs all the same.
type Warned struct {
	Place Place
	Text  string
}

func (Moved) event()    {}
func (Ended) event()    {}
func (Replaced) event() {}
func (Said) event()     {}
func (Warned) event()   {}
