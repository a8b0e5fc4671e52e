package main

import (
	"fmt"
	"os"
)

// The roles in which this executable runs, by its first argument.
const (
	roleDrive     = "drive"     // measures; it runs below the guard
	roleChild     = "child"     // is supervised
	roleWriter    = "writer"    // is supervised, and writes lines
	roleFloor     = "floor"     // supervises with os/exec
	roleSupervise = "supervise" // supervises with package supervise
	roleRaw       = "raw"       // supervises nothing, copies the output
	roleAsk       = "ask"       // asks one of these three
)

// play plays the role that the arguments name; ok is false if they name none.
func play(args []string) (code int, ok bool) {
	if len(args) == 0 {
		return 0, false
	}
	roles := map[string]func([]string) error{
		roleDrive:     drive,
		roleChild:     runChild,
		roleWriter:    runWriter,
		roleFloor:     runFloor,
		roleSupervise: runSupervise,
		roleRaw:       runRaw,
		roleAsk:       runAsk,
	}
	run, ok := roles[args[0]]
	if !ok {
		return 0, false
	}
	if err := run(args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "bench %s: %v\n", args[0], err)
		return 1, true
	}
	return 0, true
}
