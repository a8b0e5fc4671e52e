package form

import (
	"fmt"
	"net/url"
	"reflect"

	"github.com/dserver/dserver/rpc/codec/internal/text"
)

// decoder fills the fields of structs from pairs.
type decoder struct {
	pairs  url.Values
	within within
}

// fields tells whether there was a pair for one of them.
func (d decoder) fields(v reflect.Value) (found bool, err error) {
	if d.within, err = d.within.enter(v.Type()); err != nil {
		return false, err
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		role, name := roleOf(f)
		some := false
		switch role {
		case flat:
			some, err = d.flat(v.Field(i))
		case named:
			if some = len(d.pairs[name]) > 0; some {
				err = d.set(f, v.Field(i), d.pairs[name])
			}
		}
		if err != nil {
			return false, fmt.Errorf("field %s: %w", f.Name, err)
		}
		found = found || some
	}
	return found, nil
}

// flat fills a struct, or one that has to be made if there is a pair for it.
func (d decoder) flat(v reflect.Value) (found bool, err error) {
	if v.Kind() != reflect.Pointer {
		return d.fields(v)
	}
	target := v
	if v.IsNil() {
		target = reflect.New(v.Type().Elem())
	}
	if found, err = d.flat(target.Elem()); err == nil && found {
		v.Set(target)
	}
	return found, err
}

// set gives v, the field f, its values.
func (d decoder) set(f reflect.StructField, v reflect.Value, values []string) error {
	switch v.Kind() {
	case reflect.Pointer:
		if len(values) == 1 && stayNil(v, values[0]) {
			return nil
		}
		return point(v, func(target reflect.Value) error { return d.set(f, target, values) })
	case reflect.Slice:
		list := reflect.MakeSlice(v.Type(), len(values), len(values))
		if err := setAll(f, list, values); err != nil {
			return err
		}
		v.Set(list)
		return nil
	case reflect.Array:
		if len(values) > v.Len() {
			return fmt.Errorf("%d values, there is room for %d", len(values), v.Len())
		}
		v.SetZero()
		return setAll(f, v, values)
	}
	return set(f, v, values[0])
}

func setAll(f reflect.StructField, list reflect.Value, values []string) error {
	for i, s := range values {
		if err := set(f, list.Index(i), s); err != nil {
			return err
		}
	}
	return nil
}

// set gives v, one value of field f, what a text means.
func set(f reflect.StructField, v reflect.Value, s string) error {
	switch t := v.Type(); {
	case t.Kind() == reflect.Pointer:
		if stayNil(v, s) {
			return nil
		}
		return point(v, func(target reflect.Value) error { return set(f, target, s) })
	case t == reflect.TypeFor[timeType]():
		parsed, err := parseTime(f, s)
		if err == nil {
			v.Set(reflect.ValueOf(parsed))
		}
		return err
	case isBytes(t):
		v.SetBytes([]byte(s))
		return nil
	}
	if _, known := text.Format(v); known && s == "" {
		v.SetZero()
		return nil
	}
	ok, err := text.Parse(s, v)
	if !ok {
		return noForm(v.Type())
	}
	return err
}

// stayNil tells whether pointer v is nil for this text.
func stayNil(v reflect.Value, s string) bool {
	kind := v.Type().Elem().Kind()
	return s == "" && kind != reflect.String && kind != reflect.Slice && kind != reflect.Array
}

// point sets pointer v to a value that fill fills.
func point(v reflect.Value, fill func(target reflect.Value) error) error {
	if v.Type().Name() != "" {
		return noForm(v.Type()) // it could be a pointer to itself
	}
	target := reflect.New(v.Type().Elem())
	err := fill(target.Elem())
	if err == nil {
		v.Set(target)
	}
	return err
}
