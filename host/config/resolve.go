package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/dserver/dserver/host/rundir"
)

// Resolve gives a copy of the configuration in which the paths of unix sockets
// are absolute, those that probes ask included: relative ones lie in runtimeDir. The
// error is [Errors] if a path becomes too long or is there twice. All other paths
// are absolute already.
func (c *Config) Resolve(runtimeDir string) (*Config, error) {
	r := resolver{dir: runtimeDir, owners: make(map[string]string)}
	resolved := *c
	resolved.Sandboxes = slices.Clone(c.Sandboxes)
	resolved.Programs = slices.Clone(c.Programs)
	for i, s := range resolved.Sandboxes {
		resolved.Sandboxes[i].Listen = r.listens(holder{"sandbox", s.Name, s.Listen})
	}
	for i := range resolved.Programs {
		p := &resolved.Programs[i]
		p.Listen = r.listens(holder{"program", p.Name, p.Listen})
		r.probe("program."+p.Name+".ready", &p.Ready)
		r.probe("program."+p.Name+".live", &p.Live.Probe)
	}
	for i := range resolved.Programs {
		p := &resolved.Programs[i]
		r.free("program."+p.Name+".ready", &p.Ready)
		r.free("program."+p.Name+".live", &p.Live.Probe)
	}
	if r.errs != nil {
		return nil, r.errs
	}
	return &resolved, nil
}

type resolver struct {
	dir    string
	owners map[string]string // of unix sockets, by path
	errs   Errors
}

func (r *resolver) refuse(at, key, value string, err error) {
	r.errs = append(r.errs, &KeyError{Source: at, Key: key, Value: strconv.Quote(value), Reason: err.Error()})
}

func (r *resolver) listens(h holder) []Listen {
	listens := slices.Clone(h.listen)
	for i, l := range listens {
		if l.Network != "unix" {
			continue
		}
		l.Address = r.absolute(l.Address)
		err := rundir.CheckSocket(l.Address)
		if owner, ok := r.owners[l.Address]; ok {
			err = taken(owner)
		}
		if err != nil {
			r.refuse(l.at, h.listenKey(l), l.String(), err)
		}
		r.owners[l.Address] = h.listenKey(l)
		l.at = "" // where a thing is written makes no difference
		listens[i] = l
	}
	return listens
}

func (r *resolver) absolute(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.dir, path)
}

func (r *resolver) probe(key string, p *Probe) {
	if p.Kind != ProbeUnix {
		return
	}
	p.Address = r.absolute(p.Address)
	if err := rundir.CheckSocket(p.Address); err != nil {
		r.refuse(p.at, key, p.String(), err)
	}
}

// free checks that a probe does not ask a socket that is always open.
func (r *resolver) free(key string, p *Probe) {
	if p.Kind != ProbeUnix {
		return
	}
	if owner, ok := r.owners[p.Address]; ok {
		r.refuse(p.at, key, p.String(), alwaysOpen(owner))
	}
	p.at = ""
}

func taken(owner string) error { return fmt.Errorf("the address is taken by %s", owner) }

// alwaysOpen says that a probe would learn nothing.
func alwaysOpen(owner string) error {
	return fmt.Errorf("the master holds this socket open for %s, so a connection can be made in any case: ask in another way, such as notify", owner)
}
