package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/dserver/dserver/sandbox"
)

// exitCode is what the process ends with when it ends as a fault.
const exitCode = 3

// faulty is a sandbox without sockets that does wrong what its configuration or
// the build's stamp says; without a fault it is ready and idle.
type faulty struct{}

// settings are the sandbox's configuration.
type settings struct {
	Fault string        `json:"fault"`
	After time.Duration `json:"after"` // of what has one: how long it takes
	When  string        `json:"when"`  // a file to wait for instead
}

// Name implements sandbox.Service.
func (faulty) Name() string { return "faulty" }

// Serve implements sandbox.Service.
func (f faulty) Serve(_ context.Context, box *sandbox.Box) error {
	drain := box.Drain()
	s := settings{Fault: stamped("fault"), After: 20 * time.Millisecond}
	if after, err := time.ParseDuration(stamped("after")); err == nil {
		s.After = after
	}
	if err := box.Config(&s); err != nil {
		return err
	}
	switch s.Fault {
	case "exit":
		exit("at once")
	case "error":
		return errors.New("failing as told")
	case "panic":
		panic("as told")
	case "never-ready":
		fmt.Fprintln(os.Stderr, "faulty will never be ready")
		<-drain
		return nil
	case "slow-ready":
		select {
		case <-time.After(s.After):
		case <-drain:
		}
	case "die":
		box.Ready()
		if s.due(drain) {
			exit("a while after it was ready")
		}
	case "panic-later":
		box.Ready()
		if s.due(drain) {
			panic("as told, a while after it was ready")
		}
	case "hang":
		box.Ready()
		select {}
	case "":
	default:
		return fmt.Errorf("there is no fault %q", s.Fault)
	}
	box.Ready()
	<-drain
	return nil
}

// due waits for the time of a fault, or for its file; it is false if drain comes first.
func (s settings) due(drain <-chan struct{}) bool {
	if s.When == "" {
		select {
		case <-time.After(s.After):
			return true
		case <-drain:
			return false
		}
	}
	const lookEvery = 10 * time.Millisecond
	for {
		if _, err := os.Stat(s.When); err == nil {
			return true
		}
		select {
		case <-time.After(lookEvery):
		case <-drain:
			return false
		}
	}
}

// exit ends the whole process.
func exit(when string) {
	fmt.Fprintln(os.Stderr, "faulty says goodbye")
	fmt.Fprintln(os.Stderr, "faulty ends", when)
	os.Exit(exitCode)
}
