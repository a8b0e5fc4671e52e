package form

import (
	"fmt"
	"net/url"
	"reflect"
)

// encoder writes the fields of structs into pairs.
type encoder struct {
	pairs  url.Values
	within within
}

func (e encoder) fields(v reflect.Value) (err error) {
	if e.within, err = e.within.enter(v.Type()); err != nil {
		return err
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		role, name := roleOf(f)
		switch role {
		case flat:
			err = e.flat(v.Field(i))
		case named:
			err = e.add(f, name, v.Field(i))
		}
		if err != nil {
			return fmt.Errorf("field %s: %w", f.Name, err)
		}
	}
	return nil
}

func (e encoder) flat(v reflect.Value) error {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if !v.IsValid() {
		return nil
	}
	return e.fields(v)
}

func (e encoder) add(f reflect.StructField, name string, v reflect.Value) error {
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Slice && v.Kind() != reflect.Array {
		s, ok, err := format(f, v)
		if ok {
			e.pairs.Add(name, s)
		}
		return err
	}
	for i := range v.Len() {
		s, _, err := format(f, v.Index(i)) // nil is an empty text here: elements keep their places
		if err != nil {
			return err
		}
		e.pairs.Add(name, s)
	}
	return nil
}
