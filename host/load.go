package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/dserver/dserver/host/cli"
	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/rundir"
)

// document is a checked configuration on its way to another process: from a new
// build's preflight to the master, from a master to its successor.
type document struct {
	Config  *config.Config  `json:"config"`
	Content json.RawMessage `json:"content"` // for frameworks with a configuration of their own

	Apps map[string]appDocument `json:"apps,omitempty"` // by name
}

// encode gives the document as JSON.
func (d document) encode() (json.RawMessage, error) {
	text, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the configuration: %w", err)
	}
	return text, nil
}

// decodeDocument is the inverse of encode. Numbers in sandboxes' own tables stay
// as they are written.
func decodeDocument(text []byte) (document, error) {
	var d document
	if err := decodeWhole(text, &d); err != nil {
		return document{}, fmt.Errorf("cannot decode the configuration: %w", err)
	}
	if d.Config == nil {
		return document{}, errors.New("cannot decode the configuration: there is none")
	}
	return d, nil
}

// decodeWhole decodes JSON and keeps numbers of any length whole.
func decodeWhole(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(into)
}

// loaded is what a start works with.
type loaded struct {
	document
	dir rundir.Dir
}

// chosen gives the application that is meant: itself or its demo.
func (a *App) chosen(demo bool) (*App, error) {
	if !demo {
		return a, nil
	}
	if a.demo == nil {
		return nil, fmt.Errorf("this build has no demo")
	}
	return a.demo, nil
}

// load reads and checks the configuration of a start; it touches nothing.
func (a *App) load(ctx context.Context, o cli.StartOptions) (loaded, error) {
	app, err := a.chosen(o.Demo)
	if err != nil {
		return loaded{}, err
	}
	if err := app.fault(); err != nil {
		return loaded{}, err
	}
	c, err := config.Load(ctx, app.configOptions(o))
	if err != nil {
		return loaded{}, err
	}
	root, err := rundir.Find(o.RuntimeDir)
	if err != nil {
		return loaded{}, err
	}
	dir, err := root.Dir(c.Name)
	if err != nil {
		return loaded{}, err
	}
	if _, err := dir.Socket(); err != nil {
		return loaded{}, err
	}
	if c, err = c.Resolve(dir.Path); err != nil {
		return loaded{}, err
	}
	l := loaded{document: document{Config: c, Content: c.Content()}, dir: dir}
	return l, joinApps(ctx, &l.document, dir)
}

func (a *App) configOptions(o cli.StartOptions) config.Options {
	options := config.Options{
		File: o.Config, Env: o.Env, Environ: os.Environ(), Name: a.name, Builtin: a.builtin(), Sandboxes: a.known(),
		Flags: config.Flags{Name: o.Name, Mode: o.Mode},
	}
	if o.Demo {
		options.Dir = os.DevNull // the demo is the same in every folder
	}
	return options
}

// known is what the configuration has to know of the services.
func (a *App) known() []config.Known {
	known := make([]config.Known, len(a.services))
	for i, s := range a.services {
		known[i] = config.Known{Name: s.name, Worker: s.worker}
	}
	return known
}

// builtin is the lowest layer of the configuration: what was said in code.
func (a *App) builtin() string {
	var b strings.Builder
	for _, s := range a.services {
		if len(s.listen) == 0 {
			continue
		}
		fmt.Fprintf(&b, "[sandbox.%s]\nlisten = [", s.name)
		for i, address := range s.listen {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "%q", address)
		}
		b.WriteString("]\n")
	}
	return b.String()
}

// startNames checks the names given to start and gives those that stay stopped.
func startNames(c *config.Config, names []string) (stopped map[string]bool, err error) {
	stopped = make(map[string]bool)
	if len(names) == 0 {
		return stopped, nil
	}
	p := plan{config: c}
	for _, name := range p.names() {
		stopped[name] = true
	}
	for _, name := range names {
		if !stopped[name] {
			if _, known := c.Sandbox(name); known {
				continue // named twice
			}
			return nil, &UnknownSandboxError{Name: name, Known: p.names()}
		}
		stopped[name] = false
	}
	return stopped, nil
}
