package program

import (
	"reflect"

	"github.com/dserver/dserver/host/config"
)

// needsProcess tells whether a changed definition comes into force in a new process
// alone. All else is brought to the one that runs.
func needsProcess(old, next *config.Program) bool {
	return !reflect.DeepEqual(ofProcess(old), ofProcess(next))
}

// processPart is what a process is born with.
type processPart struct {
	command  []string
	listen   []config.Listen
	watchdog bool
	output   config.Output
	process  config.Process
}

func ofProcess(p *config.Program) processPart {
	part := processPart{
		command: p.Command, listen: p.Listen, watchdog: p.Watchdog > 0, output: p.Output, process: p.Process,
	}
	// Control groups can be changed under a process.
	part.process.Memory, part.process.MemoryHigh, part.process.CPU, part.process.Pids = 0, 0, 0, 0
	return part
}

// same tells whether nothing has changed.
func same(old, next *config.Program) bool { return reflect.DeepEqual(old, next) }
