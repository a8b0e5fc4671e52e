package host

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/rundir"
)

// appDocument is an application of the configuration, in an executable of its own,
// as that executable describes it. Its sandboxes and workers are part of the
// configuration that it belongs to.
type appDocument struct {
	Path    string          `json:"path"`    // of the executable
	Content json.RawMessage `json:"content"` // of its own configuration; see document
}

// AppError is an application that cannot run under this master.
type AppError struct {
	App    string
	Path   string   // of its executable
	Output []string // what it said, line by line
	Err    error
}

// Error names it and gives the first line that it said.
func (e *AppError) Error() string {
	if len(e.Output) > 0 {
		return fmt.Sprintf("app %s (%s) refuses: %s", e.App, e.Path, e.Output[0])
	}
	return fmt.Sprintf("cannot run app %s (%s): %v", e.App, e.Path, e.Err)
}

// Unwrap gives the cause.
func (e *AppError) Unwrap() error { return e.Err }

// appLimit is how long an application may take to describe itself.
const appLimit = 10 * time.Second

// joinApps asks the applications of a configuration what they consist of, and
// makes that part of it.
func joinApps(ctx context.Context, d *document, dir rundir.Dir) error {
	joined := *d.Config
	d.Apps = make(map[string]appDocument, len(joined.Apps))
	for _, a := range joined.Apps {
		theirs, err := askApp(ctx, a, dir)
		if err == nil {
			err = joinApp(&joined, a, theirs.Config)
		}
		if err != nil {
			return err
		}
		d.Apps[a.Name] = appDocument{Path: a.Command[0], Content: theirs.Content}
	}
	d.Config = &joined
	return nil
}

// askApp runs the check of an application's executable.
func askApp(ctx context.Context, a config.App, dir rundir.Dir) (document, error) {
	ctx, cancel := context.WithTimeout(ctx, appLimit)
	defer cancel()
	args := []string{"check", "--manifest", "--name", dir.Name, "--runtime-dir", filepath.Dir(dir.Path), "--mode", string(config.Multi)}
	if a.Config != "" {
		args = append(args, "--config", a.Config)
	}
	q := question{file: a.Command[0], args: append(slices.Clone(a.Command), args...), dir: filepath.Dir(a.Command[0]), env: os.Environ()}
	out, said, err := q.ask(ctx)
	if err != nil {
		return document{}, &AppError{App: a.Name, Path: a.Command[0], Output: said, Err: fmt.Errorf("cannot check it: %w", err)}
	}
	d, err := readManifest(out)
	if err != nil {
		return document{}, &AppError{App: a.Name, Path: a.Command[0], Err: fmt.Errorf("it is not built on this framework: %w", err)}
	}
	return d.document, nil
}

// joinApp adds the sandboxes and workers of an application to a configuration.
func joinApp(c *config.Config, a config.App, theirs *config.Config) error {
	clash := func(kind, name string) error {
		return &AppError{App: a.Name, Path: a.Command[0],
			Err: fmt.Errorf("its %s %s has the name of something else in this configuration", kind, name)}
	}
	for _, s := range theirs.Sandboxes {
		if taken(c, s.Name) {
			return clash("sandbox", s.Name)
		}
	}
	for _, w := range theirs.Workers {
		if taken(c, w.Name) {
			return clash("worker", w.Name)
		}
		w.App, w.Needs, w.Essential = a.Name, a.Needs, a.Essential
		w.Process, w.Keep, w.Recycle = a.Process, a.Keep, a.Recycle
		c.Workers = append(slices.Clip(c.Workers), w)
	}
	c.Sandboxes = append(slices.Clip(c.Sandboxes), theirs.Sandboxes...)
	return nil
}

// taken tells whether a sandbox, a worker, a program or a group has the name.
func taken(c *config.Config, name string) bool {
	_, sandbox := c.Sandbox(name)
	_, worker := c.Worker(name)
	_, program := c.Program(name)
	return sandbox || worker || program || slices.ContainsFunc(c.Groups, func(g config.Group) bool { return g.Name == name })
}

// openApps opens the executables of a plan's applications.
func openApps(apps map[string]appDocument) (map[string]*build, error) {
	builds := make(map[string]*build, len(apps))
	for name, a := range apps {
		b, err := openBuild(a.Path)
		if err != nil {
			closeAll(builds)
			return nil, &AppError{App: name, Path: a.Path, Err: err}
		}
		builds[name] = b
	}
	return builds, nil
}

func closeAll(builds map[string]*build) {
	for _, b := range builds {
		b.close()
	}
}
