package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"
)

// options are what the command line says.
type options struct {
	quick  bool
	json   bool
	peer   *regexp.Regexp // nil is all of them
	cell   *regexp.Regexp // nil is the standard ones
	rounds int
	time   time.Duration

	profiles string // folder; empty is none
}

// What is measured of each peer in each cell, unless told otherwise.
const (
	fullTime  = 2500 * time.Millisecond
	quickTime = 300 * time.Millisecond
	rounds    = 3
	mostWarm  = 300 * time.Millisecond
)

// warm is how long callers work before that.
func (o options) warm() time.Duration { return min(o.time, mostWarm) }

func parseOptions(args []string, out io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(out)
	f.BoolVar(&o.quick, "quick", false, "measure what targets need, little of it, and fail if half of one is missed, also when measured again")
	f.BoolVar(&o.json, "json", false, "print an object for each measurement instead of tables")
	f.Func("peer", "regular `expression` of the peers to measure (default all)", pattern(&o.peer))
	f.Func("cell", "regular `expression` of the cells to measure, such as call:record:100:1 (default the usual ones)", pattern(&o.cell))
	f.IntVar(&o.rounds, "rounds", rounds, "measurements of each peer in each cell; the median counts")
	f.DurationVar(&o.time, "time", 0, fmt.Sprintf("of each measurement (default %v, with -quick %v)", fullTime, quickTime))
	f.StringVar(&o.profiles, "profile", "", "write CPU profiles of each measurement's client and server into this `folder`")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	err := o.check(f)
	if err != nil {
		fmt.Fprintln(out, "bench:", err)
	}
	return o, err
}

func pattern(into **regexp.Regexp) func(text string) error {
	return func(text string) (err error) {
		*into, err = regexp.Compile(text)
		return err
	}
}

func (o *options) check(f *flag.FlagSet) error {
	if o.time == 0 {
		o.time = fullTime
		if o.quick {
			o.time = quickTime
		}
	}
	switch {
	case f.NArg() > 0:
		return fmt.Errorf("cannot use the argument %q", f.Arg(0))
	case o.rounds < 1:
		return fmt.Errorf("cannot use -rounds %d: at least one is needed", o.rounds)
	case o.time < time.Millisecond:
		return fmt.Errorf("cannot use -time %v: it is too short", o.time)
	}
	if o.profiles != "" {
		if err := os.MkdirAll(o.profiles, 0o777); err != nil {
			return fmt.Errorf("cannot write profiles: %w", err)
		}
	}
	return nil
}
