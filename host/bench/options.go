package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// scale is how much is measured.
type scale struct {
	Kills     int           `json:"kills"`      // of a stable child, and of a young one
	Stable    time.Duration `json:"stable_ns"`  // age of a child that is stable
	Rounds    int           `json:"rounds"`     // of starts and logs; the median counts
	Few       int           `json:"few"`        // children
	Many      int           `json:"many"`       // children
	Settle    time.Duration `json:"settle_ns"`  // after a start, until memory is looked at
	Idle      time.Duration `json:"idle_ns"`    // how long nothing happens
	Asks      int           `json:"asks"`       // how often the status is asked for
	OneLines  int           `json:"one_lines"`  // of the one writer
	Writers   int           `json:"writers"`    // of the many
	ManyLines int           `json:"many_lines"` // of each of them
	Crash     time.Duration `json:"crash_ns"`   // how long a crash loop is watched
}

func fullScale() scale {
	return scale{
		Kills: 50, Stable: 1250 * time.Millisecond, Rounds: 3, Few: 200, Many: 1000, Settle: 4 * time.Second,
		Idle: 30 * time.Second, Asks: 30, OneLines: 2_000_000, Writers: 50, ManyLines: 100_000, Crash: 20 * time.Second,
	}
}

// quickScale shows that all works; its figures say little.
func quickScale() scale {
	return scale{
		Kills: 2, Stable: 1100 * time.Millisecond, Rounds: 1, Few: 10, Many: 30, Settle: 100 * time.Millisecond,
		Idle: time.Second, Asks: 3, OneLines: 20_000, Writers: 5, ManyLines: 2_000, Crash: 2 * time.Second,
	}
}

// options are what the command line says.
type options struct {
	scale   scale
	quick   bool
	json    bool
	only    []string
	peers   []string
	child   string
	dserver string
	profile string
	timeout time.Duration
}

// What the children are.
const (
	childTiny   = "tiny"   // a static program of 300 bytes
	childScript = "script" // the same, started by a shell script
	childGo     = "go"     // this executable
)

func childKinds() []string { return []string{childTiny, childScript, childGo} }

func parseOptions(args []string, out io.Writer) (options, error) {
	o := options{scale: fullScale()}
	var only, peers string
	var rounds int
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(out)
	f.BoolVar(&o.quick, "quick", false, "measure little, to see that all works")
	f.BoolVar(&o.json, "json", false, "print JSON instead of tables")
	f.StringVar(&only, "only", "", "cells to measure, with commas: "+strings.Join(cellNames(), ", "))
	f.StringVar(&peers, "peers", "", "peers to measure, with commas: "+strings.Join(peerNames(), ", "))
	f.IntVar(&rounds, "rounds", 0, "rounds of starts and logs (default 3, with -quick 1)")
	f.StringVar(&o.child, "child", childTiny, "what is started: tiny, a static program of 300 bytes; script, a shell script that runs it; go, this executable")
	f.StringVar(&o.dserver, "dserver", "", "executable of dserver (default: cmd/dserver is built)")
	f.StringVar(&o.profile, "profile", "", "folder for CPU profiles of the floor and of package supervise")
	f.DurationVar(&o.timeout, "timeout", 40*time.Minute, "for everything")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.quick {
		o.scale = quickScale()
	}
	if rounds > 0 {
		o.scale.Rounds = rounds
	}
	err := o.check(f, only, peers)
	if err != nil {
		fmt.Fprintln(out, "bench:", err)
	}
	return o, err
}

func (o *options) check(f *flag.FlagSet, only, peers string) (err error) {
	if f.NArg() > 0 {
		return fmt.Errorf("cannot use the argument %q", f.Arg(0))
	}
	if !slices.Contains(childKinds(), o.child) {
		return fmt.Errorf("cannot use -child %s: it must be one of %s", o.child, strings.Join(childKinds(), ", "))
	}
	if o.only, err = choose("-only", only, cellNames()); err != nil {
		return err
	}
	o.peers, err = choose("-peers", peers, peerNames())
	return err
}

// choose gives those of all that text names, in the order of all; an empty text
// means all.
func choose(flag, text string, all []string) ([]string, error) {
	if text == "" {
		return all, nil
	}
	named := strings.Split(text, ",")
	for _, n := range named {
		if !slices.Contains(all, n) {
			return nil, fmt.Errorf("cannot use %s %s: there is no %q, only %s", flag, text, n, strings.Join(all, ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(n string) bool { return !slices.Contains(named, n) }), nil
}
