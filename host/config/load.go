package config

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"time"
)

// lookupTime bounds all name lookups of one [Load] together.
const lookupTime = 5 * time.Second

// Options say what to load. The zero value looks for dserver.toml in the working
// directory and takes defaults where there is none.
type Options struct {
	// File is the main file (-c). It must exist. Default: dserver.toml, .yaml,
	// .yml, .json or .ini in Dir, if one of them exists.
	File string
	// Dir is where the default file is looked for. Default: the working
	// directory.
	Dir string
	// Env is the environment's name (--env). The file NAME.ENV.EXT beside the
	// main file NAME.EXT, in any format, is laid over it. dev, test and product
	// set log.level and need no such file; every other name does. Default: none.
	Env string
	// Environ is the process environment as os.Environ gives it. Default: empty.
	Environ []string
	// Flags win over everything.
	Flags Flags
	// Name of the instance if nothing else sets it. Default: "dserver".
	Name string
	// Builtin is TOML that the application brings itself. It is the lowest
	// layer. Default: empty.
	Builtin string
	// Sandboxes of the application in start order. With nil, any sandbox may be
	// configured, and those that are make up the list.
	Sandboxes []Known
	// Lookup finds the addresses of hosts that are given by name. Default: the
	// system's resolver.
	Lookup Lookup

	rights func() rights // of this process; tests have others
}

// Known is a sandbox that the application has.
type Known struct {
	Name   string
	Worker string // the worker it runs in if no file says otherwise; default: its own
}

// Flags are values from the command line; zero values were not given.
type Flags struct {
	Name         string        // --name
	Mode         string        // --mode
	ReadyTimeout time.Duration // --timeout of start
}

// Load reads, merges and checks all layers. If anything is wrong the error is
// [Errors]. An error of the system, such as fs.ErrNotExist for a named file that
// is missing, is found in it by errors.Is. ctx bounds the lookup of host names.
func Load(ctx context.Context, o Options) (*Config, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	r, err := read(ctx, o)
	if err != nil {
		return nil, err
	}
	b := r.builder
	var c *Config
	// A file that could not be read makes keys of the others look wrong.
	if !r.broken {
		c = b.build(r.root)
	}
	if err := b.errors(); err != nil {
		return nil, err
	}
	c.Files = r.read
	if c.content, err = json.Marshal(r.root.content()); err != nil {
		return nil, fmt.Errorf("cannot encode the configuration: %w", err)
	}
	return c, nil
}

// NameOf reads the layers for nothing but the name of the instance, and tells which
// files there are. Whatever else is in them is not looked at, so it is quick, and
// what runs can be asked and stopped whatever is wrong with its configuration.
func NameOf(o Options) (name string, files []string, err error) {
	r, err := read(context.Background(), o)
	if err != nil {
		return "", nil, err
	}
	if r.broken {
		return "", nil, r.errors()
	}
	n := r.root.kids["name"]
	if name, err = readName(n); err != nil {
		r.found = nil // what else is wrong is not the point
		r.refuse(n, err)
		return "", nil, r.errors()
	}
	return name, r.read, nil
}

// read brings all layers together.
func read(ctx context.Context, o Options) (*reader, error) {
	b := &builder{ctx: ctx, lookup: o.Lookup, known: o.Sandboxes, search: variableOf(o.Environ, "PATH")}
	if o.rights == nil {
		o.rights = ownRights
	}
	b.rights = o.rights()
	if b.lookup == nil {
		b.lookup = systemLookup
	}
	if o.Name == "" {
		o.Name = "dserver"
	}
	r := &reader{builder: b, root: newTable(place{source: "configuration"})}
	r.bottom(o)
	if err := r.files(o); err != nil {
		return nil, err
	}
	r.environ(o.Environ)
	r.flags(o.Flags)
	return r, nil
}

// variableOf finds a variable; of several the last counts.
func variableOf(environ []string, name string) string {
	found := ""
	for _, pair := range environ {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			found = value
		}
	}
	return found
}

func systemLookup(ctx context.Context, host string) ([]netip.Addr, error) {
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return nil, errors.New("no such host")
	}
	return addrs, err
}

// reader brings the layers together in root, the lowest first.
type reader struct {
	*builder
	root *node

	rank   int      // of the last place
	read   []string // files, absolute
	broken bool     // a file could not be read
}

// fail reports a file that could not be read.
func (r *reader) fail(at place, err error) {
	r.broken = true
	r.fault(at, err)
}

// place makes the next place; later ones come later in the list of errors.
func (r *reader) place(source string) place {
	r.rank++
	return place{rank: r.rank, source: source}
}

// lay puts one layer on top.
func (r *reader) lay(layer *node) { r.root.merge(layer, nil) }

// set lays a single value on top, as path.
func (r *reader) set(at place, value string, path ...string) {
	layer := newTable(at)
	n := layer
	for _, name := range path[:len(path)-1] {
		kid := newTable(at)
		n.add(name, kid)
		n = kid
	}
	n.add(path[len(path)-1], &node{at: at, value: value, text: true})
	r.lay(layer)
}

// bottom lays what stands below all files.
func (r *reader) bottom(o Options) {
	r.set(r.place("application"), o.Name, "name")
	if o.Builtin != "" {
		at := r.place("built-in configuration")
		layer, err := parseTOML([]byte(o.Builtin), at)
		if err != nil {
			r.fail(at, err)
			return
		}
		r.lay(layer)
	}
	if o.Env != "" {
		if level := envLevel(o.Env); level != "" {
			r.set(r.place("flag --env"), level, "log", "level")
		}
	}
}

// envLevel is the log level of the environments that have one.
func envLevel(env string) string {
	switch env {
	case "dev":
		return "debug"
	case "test", "product":
		return "info"
	}
	return ""
}

func (r *reader) flags(f Flags) {
	if f.Name != "" {
		r.set(r.place("flag --name"), f.Name, "name")
	}
	if f.Mode != "" {
		r.set(r.place("flag --mode"), f.Mode, "mode")
	}
	if f.ReadyTimeout != 0 {
		r.set(r.place("flag --timeout"), f.ReadyTimeout.String(), "ready_timeout")
	}
}

// stem is a path without its extension.
func stem(path string) string { return strings.TrimSuffix(path, filepath.Ext(path)) }
