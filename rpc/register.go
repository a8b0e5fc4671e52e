package rpc

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"

	"github.com/dserver/dserver/rpc/status"
)

// Register makes routes of the methods of a controller, all or none.
//
// A method of an ordinary type
//
//	func (c *Math) Add(ctx rpc.Context, req Req) (Res, error)
//
// answers CALLs, one without Res takes PUSHes. Methods that do not take an rpc.Context
// first are no routes; one that does and has another form is an error. All methods are
// called on the one value that was given, by many goroutines at once.
//
// A struct that embeds [CallCtx], or [PushCtx], is made anew for each message, with that
// field set and all others zero. Its exported methods have the form
//
//	func (c *Math) Add(req Req) (Res, error)
//
// or, for PUSHes, func (c *Math) Add(req Req) error; one with another form is an error.
//
// Either way the error may be a *status.Status. Config.Mapper makes the names out of
// type and method: Math.Add becomes /math/add, HTTPServer.GetURL becomes
// /httpserver/get_url, an underscore between two letters becomes a slash.
func (e *Endpoint) Register(controller any, opts ...RouteOption) error {
	return e.scope().register(controller, opts)
}

// Register is [Endpoint.Register] below the prefix of the group.
func (g *Group) Register(controller any, opts ...RouteOption) error {
	return g.at.register(controller, opts)
}

// RegisterFunc makes a route of a function of the form that a method of an ordinary
// controller has. Config.Mapper makes the name out of that of the function or method:
// func AddOne becomes /add_one. A function without a name is refused: see [Handle].
func (e *Endpoint) RegisterFunc(f any, opts ...RouteOption) error {
	return e.scope().registerFunc(f, opts)
}

// RegisterFunc is [Endpoint.RegisterFunc] below the prefix of the group.
func (g *Group) RegisterFunc(f any, opts ...RouteOption) error {
	return g.at.registerFunc(f, opts)
}

func (at *scope) register(controller any, opts []RouteOption) error {
	value := reflect.ValueOf(controller)
	if !value.IsValid() {
		return errors.New("cannot register controller: it is nil")
	}
	name := typeName(value.Type())
	if name == "" {
		return fmt.Errorf("cannot register controller: its type %v has no name", value.Type())
	}
	if value.Kind() == reflect.Pointer && value.IsNil() {
		return fmt.Errorf("cannot register controller %s: it is a nil pointer", name)
	}
	methods, err := methodsOf(value)
	if err != nil {
		return fmt.Errorf("cannot register controller %s: %w", name, err)
	}
	mapper := at.e.config.Mapper
	prefix := mapper(at.prefix, name)
	var routes []*route
	for _, m := range methods {
		routes = append(routes, m.route(mapper(prefix, m.name), opts))
	}
	return at.add(routes...)
}

func (at *scope) registerFunc(f any, opts []RouteOption) error {
	value := reflect.ValueOf(f)
	if value.Kind() != reflect.Func || value.IsNil() {
		return fmt.Errorf("cannot register %T: it is no function", f)
	}
	name := functionName(value)
	if name == "" {
		return errors.New("cannot register a function that has no name of its own: Handle takes one")
	}
	form, err := formOf(value.Type(), true)
	if err != nil {
		return fmt.Errorf("cannot register function %s: it %w", name, err)
	}
	m := method{name: name, form: form, call: func(ctx Context, req reflect.Value) []reflect.Value {
		return value.Call([]reflect.Value{reflect.ValueOf(ctx), req})
	}}
	return at.add(m.route(at.e.config.Mapper(at.prefix, name), opts))
}

// functionName is the last part of the function's name; that of a method value ends in
// -fm. It is empty for a closure: those are called func1, 1 inside of another one, and the
// like.
func functionName(f reflect.Value) string {
	full := strings.TrimSuffix(runtime.FuncForPC(f.Pointer()).Name(), "[...]")
	name := strings.TrimSuffix(full[strings.LastIndexByte(full, '.')+1:], "-fm")
	if strings.Trim(strings.TrimPrefix(name, "func"), "0123456789") == "" || strings.ContainsRune(name, '-') {
		return ""
	}
	return name
}

func typeName(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}

// form is what a function takes and returns besides its context and its error.
type form struct{ req, res reflect.Type } // res is nil for a PUSH

const (
	longForm  = "func(rpc.Context, Req) (Res, error) or func(rpc.Context, Req) error"
	shortForm = "func(Req) (Res, error) or func(Req) error"
)

// formOf checks the type of a function, with its context or without.
func formOf(t reflect.Type, context bool) (f form, err error) {
	in, want := t.NumIn()-1, shortForm
	ok := true
	if context {
		want = longForm
		ok = in == 1 && t.In(0) == reflect.TypeFor[Context]()
		in--
	}
	out := t.NumOut()
	if !ok || in != 0 || t.IsVariadic() || out < 1 || out > 2 || !isError(t.Out(out-1)) {
		return f, fmt.Errorf("is %v, it must be %s", t, want)
	}
	f.req = t.In(t.NumIn() - 1)
	if out == 2 {
		f.res = t.Out(0)
	}
	return f, nil
}

// isError is true for the two types alone that mean one: another package's Status is
// something else.
func isError(t reflect.Type) bool {
	return t == reflect.TypeFor[error]() || t == reflect.TypeFor[*status.Status]()
}

// method is a function that becomes a route.
type method struct {
	name string
	form form
	call func(ctx Context, req reflect.Value) []reflect.Value
}

func (m method) route(name string, opts []RouteOption) *route {
	r := newRoute(name, m.form.res == nil, opts)
	r.req, r.res = m.form.req, m.form.res
	r.handle = func(in *inbound) (any, error) {
		req := reflect.New(r.req)
		if r.req.Kind() == reflect.Pointer {
			req.Elem().Set(reflect.New(r.req.Elem()))
		}
		if err := in.decode(req.Interface()); err != nil {
			return nil, err
		}
		out := m.call(in.context(), req.Elem())
		err := errorOf(out[len(out)-1])
		if r.push {
			return nil, err
		}
		return out[0].Interface(), err
	}
	return r
}

// errorOf makes no error of a nil *status.Status.
func errorOf(v reflect.Value) error {
	if v.IsNil() {
		return nil
	}
	err, _ := v.Interface().(error)
	return err
}
