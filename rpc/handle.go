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
	read, result := requestReader[Req](), resultKeeper[Res]()
	route.handle = func(in *inbound) (any, error) {
		req, err := read(in)
		if err != nil {
			return nil, err
		}
		res, err := f(in.context(), req)
		return result(in, res), err
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
	read := requestReader[Req]()
	route.handle = func(in *inbound) (any, error) {
		req, err := read(in)
		if err != nil {
			return nil, err
		}
		return nil, f(in.context(), req)
	}
	return at.add(route)
}

// requestReader decodes a request. A pointer points to a fresh value; neither that nor
// bytes need anything else of memory.
func requestReader[Req any]() func(in *inbound) (Req, error) {
	switch t := reflect.TypeFor[Req](); {
	case t == reflect.TypeFor[[]byte]():
		return func(in *inbound) (Req, error) {
			err := in.decode(&in.bytes)
			req, _ := any(in.bytes).(Req)
			return req, err
		}
	case t.Kind() == reflect.Pointer:
		to := t.Elem()
		return func(in *inbound) (Req, error) {
			req, _ := reflect.New(to).Interface().(Req)
			return req, in.decode(req)
		}
	default:
		return func(in *inbound) (req Req, err error) {
			err = in.decode(&req)
			return req, err
		}
	}
}

// resultKeeper makes an interface of a result; bytes are kept with the message, where
// that costs nothing.
func resultKeeper[Res any]() func(in *inbound, res Res) any {
	if reflect.TypeFor[Res]() != reflect.TypeFor[[]byte]() {
		return func(_ *inbound, res Res) any { return res }
	}
	return func(in *inbound, res Res) any {
		in.bytes, _ = any(res).([]byte)
		return &in.bytes
	}
}
