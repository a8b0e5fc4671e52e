package rpc

import (
	"errors"
	"fmt"
	"reflect"
)

// Handle registers f for CALLs to method. Req and Res are what the codec reads
// and writes; []byte passes bytes as they are. A Req that is a pointer is never
// nil. An error that holds a *status.Status reaches the caller as that status;
// of any other error, and of a panic, the caller learns an incident id only.
func Handle[Req, Res any](e *Endpoint, method string, f func(ctx Context, req Req) (Res, error), opts ...RouteOption) error {
	if e == nil || f == nil {
		return fmt.Errorf("cannot register %q: %w", method, errors.New("endpoint or handler is nil"))
	}
	r := newRoute(method, false, opts)
	r.req, r.res = reflect.TypeFor[Req](), reflect.TypeFor[Res]()
	fresh := freshValue[Req]()
	r.handle = func(in *inbound) (any, error) {
		req := fresh()
		if err := in.decode(&req); err != nil {
			return nil, err
		}
		return f(in, req)
	}
	return e.router.add([]*route{r})
}

// HandlePush registers f for PUSHes to method. Its error goes to the log.
func HandlePush[Req any](e *Endpoint, method string, f func(ctx Context, req Req) error, opts ...RouteOption) error {
	if e == nil || f == nil {
		return fmt.Errorf("cannot register %q: %w", method, errors.New("endpoint or handler is nil"))
	}
	r := newRoute(method, true, opts)
	r.req = reflect.TypeFor[Req]()
	fresh := freshValue[Req]()
	r.handle = func(in *inbound) (any, error) {
		req := fresh()
		if err := in.decode(&req); err != nil {
			return nil, err
		}
		return nil, f(in, req)
	}
	return e.router.add([]*route{r})
}

// freshValue makes zero values of T; for a pointer type, pointers to zero values.
func freshValue[T any]() func() T {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Pointer {
		return func() (zero T) { return zero }
	}
	return func() T {
		v, _ := reflect.New(t.Elem()).Interface().(T)
		return v
	}
}
