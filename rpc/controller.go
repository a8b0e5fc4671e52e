package rpc

import (
	"errors"
	"fmt"
	"reflect"
)

// CallCtx is embedded by a controller whose methods answer CALLs and take their request
// alone: see [Endpoint.Register].
type CallCtx interface{ Context }

// PushCtx is embedded by a controller whose methods take PUSHes.
type PushCtx interface{ Context }

// methodsOf finds the methods of a controller that become routes.
func methodsOf(value reflect.Value) ([]method, error) {
	if t, field, push := embeds(value.Type()); t != nil {
		return fittedMethods(t, field, push)
	}
	var methods []method
	for i := range value.NumMethod() {
		m := value.Type().Method(i)
		if m.Type.NumIn() < 2 || m.Type.In(1) != reflect.TypeFor[Context]() {
			continue
		}
		bound := value.Method(i)
		form, err := formOf(bound.Type(), true)
		if err != nil {
			return nil, fmt.Errorf("method %s %w", m.Name, err)
		}
		methods = append(methods, method{name: m.Name, form: form, call: func(ctx Context, req reflect.Value) []reflect.Value {
			return bound.Call([]reflect.Value{reflect.ValueOf(ctx), req})
		}})
	}
	if len(methods) == 0 {
		return nil, errors.New("it has no exported method that takes an rpc.Context; are its methods on the pointer?")
	}
	return methods, nil
}

// embeds tells whether a type is made for one message at a time: its struct, the field
// to set, and whether it takes PUSHes.
func embeds(t reflect.Type) (fits reflect.Type, field int, push bool) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil, 0, false
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if call := f.Type == reflect.TypeFor[CallCtx](); f.Anonymous && (call || f.Type == reflect.TypeFor[PushCtx]()) {
			return t, i, !call
		}
	}
	return nil, 0, false
}

// fittedMethods are the methods of a struct that is made anew for each message.
func fittedMethods(t reflect.Type, field int, push bool) ([]method, error) {
	pointer := reflect.PointerTo(t)
	promoted := reflect.TypeFor[Context]()
	var methods []method
	for i := range pointer.NumMethod() {
		m := pointer.Method(i)
		if of, is := promoted.MethodByName(m.Name); is {
			if of.Type != withoutReceiver(m.Type) {
				return nil, fmt.Errorf("method %s hides that of the context: it needs another name", m.Name)
			}
			continue
		}
		form, err := formOf(withoutReceiver(m.Type), false)
		if err == nil && push != (form.res == nil) {
			err = fmt.Errorf("is %v, which does not fit what the controller embeds: CALLs have a result, PUSHes have none", m.Type)
		}
		if err != nil {
			return nil, fmt.Errorf("method %s %w", m.Name, err)
		}
		methods = append(methods, method{name: m.Name, form: form, call: func(ctx Context, req reflect.Value) []reflect.Value {
			fresh := reflect.New(t)
			fresh.Elem().Field(field).Set(reflect.ValueOf(ctx))
			return m.Func.Call([]reflect.Value{fresh, req})
		}})
	}
	if len(methods) == 0 {
		return nil, errors.New("it has no exported method of its own")
	}
	return methods, nil
}

func withoutReceiver(t reflect.Type) reflect.Type {
	var in, out []reflect.Type
	for i := 1; i < t.NumIn(); i++ {
		in = append(in, t.In(i))
	}
	for i := range t.NumOut() {
		out = append(out, t.Out(i))
	}
	return reflect.FuncOf(in, out, t.IsVariadic())
}
