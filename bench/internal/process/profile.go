package process

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"

	"github.com/dserver/dserver/bench/internal/load"
)

// profileName is the file for the profile of a role; a later measurement of the same
// writes over it.
func profileName(plan load.Plan, role string) string {
	cell := strings.ReplaceAll(plan.Cell.String(), ":", "-")
	return filepath.Join(plan.Profiles, fmt.Sprintf("%s.%s.%s.pprof", cell, plan.Peer, role))
}

// profile writes the CPU profile of this process until stop.
func profile(name string) (stop func() error, err error) {
	file, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("cannot write a profile: %w", err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("cannot write a profile: %w", err)
	}
	return func() error {
		pprof.StopCPUProfile()
		return file.Close()
	}, nil
}
