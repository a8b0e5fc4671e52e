package host

import (
	"fmt"
	"log/slog"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/sandbox"
)

// surroundings are what a runtime needs beside its assignment. They differ
// between a worker and a master; the runtime is the same.
type surroundings struct {
	logger  func(sandbox string) *slog.Logger
	sockets sandbox.Sockets
}

// newRuntime makes the runtime that an assignment asks for out of the services
// of this executable.
func (a *App) newRuntime(as Assignment, around surroundings, watch observer) (*sandbox.Runtime, error) {
	app := a
	if as.Demo {
		if app = a.demo; app == nil {
			return nil, fmt.Errorf("cannot run the demo: this build has none")
		}
	}
	entries := make([]sandbox.Entry, 0, len(as.Sandboxes))
	for _, s := range as.Sandboxes {
		e, err := app.entry(s)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return sandbox.NewRuntime(entries, sandbox.Env{
		Mode: as.Mode, Logger: around.logger, Sockets: around.sockets, Observe: watch,
	})
}

// shareConfig gives everything that was configured to those services that want to
// hand it on.
func (a *App) shareConfig(boxes []Sandbox, content []byte, demo bool) error {
	app, err := a.chosen(demo)
	if err != nil {
		return err
	}
	for _, s := range boxes {
		constructor, ok := app.find(s.Name)
		if !ok {
			continue // it is told when it is to run
		}
		if sharer, ok := constructor().(sandbox.ConfigSharer); ok {
			if err := sharer.ShareConfig(content); err != nil {
				return fmt.Errorf("sandbox %s: %w", s.Name, err)
			}
		}
	}
	return nil
}

func (a *App) entry(s Sandbox) (sandbox.Entry, error) {
	constructor, ok := a.find(s.Name)
	if !ok {
		return sandbox.Entry{}, fmt.Errorf("cannot run sandbox %q: this build has no such service", s.Name)
	}
	level, err := config.ParseLevel(s.Level)
	if err != nil {
		return sandbox.Entry{}, fmt.Errorf("cannot run sandbox %q: %w", s.Name, err)
	}
	var table map[string]any
	if err := decodeWhole(s.Config, &table); err != nil {
		return sandbox.Entry{}, fmt.Errorf("cannot run sandbox %q: its config table: %w", s.Name, err)
	}
	return sandbox.Entry{
		Name: s.Name, New: constructor, Listen: s.Listen, Config: table, ReadyAtStart: !s.ExplicitReady,
		Restart: sandbox.RestartPolicy{When: restartWhen(s.Restart)}, Level: level, Disabled: s.Stopped,
	}, nil
}

func restartWhen(policy string) sandbox.When {
	switch config.Restart(policy) {
	case config.RestartNo:
		return sandbox.Never
	case config.RestartAlways:
		return sandbox.Always
	}
	return sandbox.OnFailure
}
