package form

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/dserver/dserver/rpc/codec/internal/text"
)

type timeType = time.Time

// role is what becomes of a field.
type role int

const (
	absent role = iota // it is left out
	named              // its values are those of its name
	flat               // its own fields take its place
)

// roleOf tells what becomes of f, and its name.
func roleOf(f reflect.StructField) (role, string) {
	tag := f.Tag.Get("form")
	t := f.Type
	for t.Kind() == reflect.Pointer && t.Name() == "" {
		t = t.Elem()
	}
	isFlat := tag == "" && t.Kind() == reflect.Struct && t != reflect.TypeFor[timeType]()
	switch {
	case tag == "-":
		return absent, ""
	case isFlat && (f.IsExported() || f.Anonymous && f.Type.Kind() == reflect.Struct):
		return flat, ""
	case !f.IsExported():
		return absent, ""
	case isFlat:
		return flat, ""
	case tag == "":
		return named, f.Name
	}
	return named, tag
}

// within is the types of the structs that one is in.
type within []reflect.Type

// enter refuses a type that holds itself: its fields would have no end.
func (w within) enter(t reflect.Type) (within, error) {
	if slices.Contains(w, t) {
		return nil, fmt.Errorf("%s holds itself: give a tag to the field that does", t)
	}
	return append(slices.Clip(w), t), nil
}

func noForm(t reflect.Type) error {
	return fmt.Errorf(`a %s has no form: leave it out with the tag form:"-"`, t)
}

// format gives the text of one value of field f; ok is false for a nil pointer.
func format(f reflect.StructField, v reflect.Value) (s string, ok bool, err error) {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if !v.IsValid() {
		return "", false, nil
	}
	if v.Type() == reflect.TypeFor[timeType]() {
		t, _ := v.Interface().(timeType)
		s, err = formatTime(f, t)
		return s, true, err
	}
	if isBytes(v.Type()) {
		return string(v.Bytes()), true, nil
	}
	if s, ok = text.Format(v); !ok {
		return "", false, noForm(v.Type())
	}
	return s, true, nil
}

func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

func formatTime(f reflect.StructField, t time.Time) (string, error) {
	layout, place, err := timeTags(f)
	if err != nil || t.IsZero() {
		return "", err
	}
	return t.In(place).Format(layout), nil
}

func parseTime(f reflect.StructField, s string) (t time.Time, err error) {
	layout, place, err := timeTags(f)
	if err != nil || s == "" {
		return t, err
	}
	if t, err = time.ParseInLocation(layout, s, place); err != nil {
		return t, fmt.Errorf("%.40q is no time in the layout %q", s, layout)
	}
	return t, nil
}

// timeTags reads what the tags of f say of its times.
func timeTags(f reflect.StructField) (layout string, place *time.Location, err error) {
	layout, place = time.RFC3339Nano, time.Local
	if tag := f.Tag.Get("time_format"); tag != "" {
		layout = tag
	}
	if tag := f.Tag.Get("time_utc"); tag != "" {
		utc, err := strconv.ParseBool(tag)
		if err != nil {
			return "", nil, fmt.Errorf("tag time_utc is %q, it must be true or false", tag)
		}
		if utc {
			place = time.UTC
		}
	}
	if tag := f.Tag.Get("time_location"); tag != "" {
		if place, err = time.LoadLocation(tag); err != nil {
			return "", nil, fmt.Errorf("tag time_location: %w", err)
		}
	}
	return layout, place, nil
}
