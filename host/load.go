package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
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

// sparing is what a start with names leaves alone.
type sparing struct {
	stopped map[string]bool // sandboxes
	spared  []string        // programs
}

// startNames checks the names given to start, and gives what stays stopped: all
// that is not named, belongs to no group that is, and is not needed by what is.
// Without names that is nothing.
func startNames(c *config.Config, names []string) (sparing, error) {
	out := sparing{stopped: make(map[string]bool)}
	if len(names) == 0 {
		return out, nil
	}
	p := plan{config: c}
	programs, boxes := p.split(names)
	needed := make(map[string]bool) // programs and workers
	for _, name := range boxes {
		b, known := c.Sandbox(name)
		if !known {
			return out, p.unknown(name)
		}
		p.addNeeds(needed, p.needsOf(b.Worker))
	}
	for _, prog := range c.Programs {
		if slices.Contains(programs, prog.Name) || prog.Group != "" && slices.Contains(programs, prog.Group) {
			p.addNeeds(needed, []config.Need{{Name: prog.Name}})
		}
	}
	for _, b := range c.Sandboxes {
		out.stopped[b.Name] = !needed[b.Worker] && !slices.Contains(boxes, b.Name)
	}
	for _, prog := range c.Programs {
		if !needed[prog.Name] {
			out.spared = append(out.spared, prog.Name)
		}
	}
	return out, nil
}

// addNeeds adds programs and workers, and all that they need in their turn.
func (p *plan) addNeeds(to map[string]bool, needs []config.Need) {
	for _, n := range needs {
		if !to[n.Name] {
			to[n.Name] = true
			p.addNeeds(to, p.needsOf(n.Name))
		}
	}
}
