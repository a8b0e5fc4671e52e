package rpc

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Registrar is where routes are registered: an [Endpoint], or a [Group] of its routes.
type Registrar interface {
	// Register makes routes of the methods of a controller.
	Register(controller any, opts ...RouteOption) error
	// RegisterFunc makes a route of a function, named after it.
	RegisterFunc(f any, opts ...RouteOption) error
	// Group gives a place for routes below a prefix.
	Group(prefix string, plugins ...Plugin) *Group

	scope() *scope
}

var (
	_ Registrar = (*Endpoint)(nil)
	_ Registrar = (*Group)(nil)
)

// scope is where a route stands: what comes before its name and its own plugins.
type scope struct {
	e       *Endpoint
	prefix  string
	plugins []Plugin
}

// Group is routes with a prefix and plugins in common. It may be used from any
// goroutine.
type Group struct{ at scope }

func (e *Endpoint) scope() *scope {
	if e == nil {
		return nil
	}
	return &scope{e: e}
}

func (g *Group) scope() *scope {
	if g == nil {
		return nil
	}
	return &g.at
}

// Group gives a place for routes below a prefix, which Config.Mapper makes of a name:
// with the default one V1 and v1 both become /v1. The hooks of the plugins are called
// for its routes alone; hooks that are not of a route make every registration fail.
func (e *Endpoint) Group(prefix string, plugins ...Plugin) *Group {
	return e.scope().group(prefix, plugins)
}

// Group gives a place below this one.
func (g *Group) Group(prefix string, plugins ...Plugin) *Group {
	return g.at.group(prefix, plugins)
}

func (at *scope) group(prefix string, plugins []Plugin) *Group {
	return &Group{scope{
		e:       at.e,
		prefix:  at.e.config.Mapper(at.prefix, prefix),
		plugins: slices.Concat(at.plugins, plugins),
	}}
}

// join puts an explicit name behind the prefix, by a slash if that has one, else by a
// dot.
func (at *scope) join(name string) string {
	switch {
	case at.prefix == "":
		return name
	case strings.HasPrefix(at.prefix, "/"):
		return path.Join(at.prefix, name)
	default:
		return at.prefix + "." + strings.TrimPrefix(name, ".")
	}
}

// where checks a Registrar that a generic function was given.
func where(r Registrar, method string, handler bool) (*scope, error) {
	if r != nil && handler {
		if at := r.scope(); at != nil {
			return at, nil
		}
	}
	return nil, fmt.Errorf("cannot register %q: %w", method, errors.New("endpoint or handler is nil"))
}

// add registers all routes or none.
func (at *scope) add(routes ...*route) error {
	for _, r := range routes {
		r.own = slices.Concat(at.plugins, r.own)
		h, err := at.e.routeHooks(r.own)
		if err == nil {
			r.hooks = h
			err = h.runAfterRegister(r.describe())
		}
		if err != nil {
			return fmt.Errorf("cannot register %q: %w", r.method, err)
		}
	}
	return at.e.router.add(routes)
}
