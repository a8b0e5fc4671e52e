package rpc

import (
	"reflect"
)

// Handle registers f for CALLs to method. Req and Res are what the codec reads
// and writes; []byte passes bytes as they are. A Req that is a pointer is never
// nil. An error that holds a *status.Status reaches the caller as that status;
// of any other error, and of a panic, the caller learns an incident id only.
// The method is taken as it is, behind the prefix of a group.
func Handle[Req, Res any](r Registrar, method string, f func(ctx Context, req Req) (Res, error), opts ...RouteOption) error {
	at, err := where(r, method, f != nil)
	if err != nil {
		return err
	}
	route := newRoute(at.join(method), false, opts)
	route.req, route.res = reflect.TypeFor[Req](), reflect.TypeFor[Res]()
	fresh := freshValue[Req]()
	route.handle = func(in *inbound) (any, error) {
		req := fresh()
		if err := in.decode(&req); err != nil {
			return nil, err
		}
		return f(in, req)
	}
	return at.add(route)
}

// HandlePush registers f for PUSHes to method. Its error goes to the log.
func HandlePush[Req any](r Registrar, method string, f func(ctx Context, req Req) error, opts ...RouteOption) error {
	at, err := where(r, method, f != nil)
	if err != nil {
		return err
	}
	route := newRoute(at.join(method), true, opts)
	route.req = reflect.TypeFor[Req]()
	fresh := freshValue[Req]()
	route.handle = func(in *inbound) (any, error) {
		req := fresh()
		if err := in.decode(&req); err != nil {
			return nil, err
		}
		return nil, f(in, req)
	}
	return at.add(route)
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
