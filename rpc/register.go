package rpc

import (
	"errors"
	"fmt"
	"reflect"
)

// Register makes routes of the methods of a controller. A method
//
//	func (c *Math) Add(ctx rpc.Context, req Req) (Res, error)
//
// answers CALLs, one without Res takes PUSHes. Names follow the type and the
// method: Math.Add becomes /math/add, HTTPServer.GetURL becomes
// /httpserver/get_url, an underscore between two letters becomes a slash.
// Methods that do not take an rpc.Context first are no routes; one that does and
// has another form is an error. All methods are called on the one value that was
// given, by many goroutines at once.
func (e *Endpoint) Register(controller any, opts ...RouteOption) error {
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
	var routes []*route
	for i := range value.NumMethod() {
		method := value.Type().Method(i)
		if !takesContext(method.Type) {
			continue
		}
		r, err := methodRoute(mapName(mapName("", name), method.Name), value.Method(i), opts)
		if err != nil {
			return fmt.Errorf("cannot register controller %s: method %s %w", name, method.Name, err)
		}
		routes = append(routes, r)
	}
	if len(routes) == 0 {
		return fmt.Errorf("cannot register controller %s: it has no exported method that takes an rpc.Context; are its methods on the pointer?", name)
	}
	return e.router.add(routes)
}

func typeName(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}

// takesContext looks at a method's type with its receiver.
func takesContext(t reflect.Type) bool {
	return t.NumIn() >= 2 && t.In(1) == reflect.TypeFor[Context]()
}

func methodRoute(name string, method reflect.Value, opts []RouteOption) (*route, error) {
	t := method.Type()
	returnsError := t.NumOut() > 0 && t.Out(t.NumOut()-1) == reflect.TypeFor[error]()
	if t.NumIn() != 2 || t.IsVariadic() || t.NumOut() > 2 || !returnsError {
		return nil, fmt.Errorf("is %v, it must be func(rpc.Context, Req) (Res, error) or func(rpc.Context, Req) error", t)
	}
	r := newRoute(name, t.NumOut() == 1, opts)
	r.req = t.In(1)
	if !r.push {
		r.res = t.Out(0)
	}
	r.handle = func(in *inbound) (any, error) {
		req := reflect.New(r.req)
		if r.req.Kind() == reflect.Pointer {
			req.Elem().Set(reflect.New(r.req.Elem()))
		}
		if err := in.decode(req.Interface()); err != nil {
			return nil, err
		}
		out := method.Call([]reflect.Value{reflect.ValueOf(in), req.Elem()})
		err, _ := out[len(out)-1].Interface().(error)
		if r.push {
			return nil, err
		}
		return out[0].Interface(), err
	}
	return r, nil
}
