package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
)

// Config fills into, a pointer to a struct with json tags, from the sandbox's
// table `config` in the configuration file. Fields that the table does not name
// keep their values, so set the defaults before. A key that the struct does not
// have is an error. A field of type time.Duration takes text such as "1m30s".
func (b *Box) Config(into any) error {
	if err := decodeConfig(b.config, into); err != nil {
		return fmt.Errorf("cannot read the config of sandbox %q: %w", b.name, err)
	}
	return nil
}

func decodeConfig(config map[string]any, into any) error {
	t := reflect.TypeOf(into)
	if t == nil || t.Kind() != reflect.Pointer || reflect.ValueOf(into).IsNil() {
		return fmt.Errorf("want a pointer to fill, not %T", into)
	}
	if config == nil {
		config = map[string]any{}
	}
	plain, err := durations("", config, t)
	if err != nil {
		return err
	}
	text, err := json.Marshal(plain)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return readable(d.Decode(into))
}

// durations returns a copy of v in which text that is meant for a time.Duration
// is a number, as encoding/json wants it. key is where v stands.
func durations(key string, v any, t reflect.Type) (any, error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch v := v.(type) {
	case string:
		if t != reflect.TypeFor[time.Duration]() {
			return v, nil
		}
		d, err := time.ParseDuration(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is no duration such as 1s or 1m30s", key, v)
		}
		return int64(d), nil
	case map[string]any:
		return tableDurations(key, v, t)
	}
	list := reflect.ValueOf(v)
	if list.Kind() != reflect.Slice || t.Kind() != reflect.Slice && t.Kind() != reflect.Array {
		return v, nil
	}
	out := make([]any, list.Len())
	for i := range out {
		var err error
		if out[i], err = durations(fmt.Sprintf("%s[%d]", key, i), list.Index(i).Interface(), t.Elem()); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func tableDurations(key string, table map[string]any, t reflect.Type) (any, error) {
	out := make(map[string]any, len(table))
	var errs []error
	for name, v := range table {
		elem := elemType(t, name)
		if elem == nil {
			out[name] = v // unknown: the decoder says so
			continue
		}
		w, err := durations(strings.TrimPrefix(key+"."+name, "."), v, elem)
		if err != nil {
			errs = append(errs, err)
		}
		out[name] = w
	}
	return out, first(errs)
}

// first returns the least of errs by text: they come from a map.
func first(errs []error) error {
	var least error
	for _, err := range errs {
		if least == nil || err.Error() < least.Error() {
			least = err
		}
	}
	return least
}

// elemType is the type of what key name of a table that fills a t is decoded
// into, by the rules of encoding/json; nil if there is none.
func elemType(t reflect.Type, name string) reflect.Type {
	switch t.Kind() {
	case reflect.Map:
		return t.Elem()
	case reflect.Struct:
		for _, f := range reflect.VisibleFields(t) {
			tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if tag == "" {
				tag = f.Name
			}
			if f.IsExported() && strings.EqualFold(tag, name) {
				return f.Type
			}
		}
	}
	return nil
}

// readable says in a user's words what encoding/json found.
func readable(err error) error {
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF), err == nil:
		return err
	case errors.As(err, &wrong):
		return fmt.Errorf("%s: want %s, not %s", wrong.Field, wrong.Type, wrong.Value)
	}
	return fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "json: "))
}
