package form

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"

	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/codec/internal/text"
)

// Codec is the codec; it has no settings.
type Codec struct{}

var _ codec.Codec = Codec{}

// ID is 'f'.
func (Codec) ID() byte { return codec.IDForm }

// Name is "form".
func (Codec) Name() string { return "form" }

// Marshal writes a map or struct, or what a pointer to one points at. nil has no bytes.
func (Codec) Marshal(v any) ([]byte, error) {
	value := text.Source(v)
	if !value.IsValid() {
		return nil, nil
	}
	pairs := make(url.Values)
	switch {
	case value.Kind() == reflect.Struct && value.Type() != reflect.TypeFor[timeType]():
		if err := (encoder{pairs, nil}).fields(value); err != nil {
			return nil, fmt.Errorf("cannot write a form: %w", err)
		}
	case isMap(value.Type()):
		for i := value.MapRange(); i.Next(); {
			pairs[i.Key().String()] = list(i.Value())
		}
	default:
		return nil, refusal("write", v)
	}
	return []byte(pairs.Encode()), nil
}

// Unmarshal fills the map, the struct or the empty interface that v points at. A map is
// replaced.
func (Codec) Unmarshal(b []byte, v any) error {
	value, err := text.Target(v)
	if err != nil {
		return err
	}
	pairs, err := parse(string(b))
	if err != nil {
		return fmt.Errorf("cannot read a form: %w", err)
	}
	switch t := value.Type(); {
	case t.Kind() == reflect.Struct && t != reflect.TypeFor[timeType]():
		if _, err := (decoder{pairs, nil}).fields(value); err != nil {
			return fmt.Errorf("cannot read a form: %w", err)
		}
	case t.Kind() == reflect.Interface && t.NumMethod() == 0:
		value.Set(reflect.ValueOf(pairs))
	case isMap(t):
		setMap(value, pairs)
	default:
		return refusal("read", v)
	}
	return nil
}

func refusal(verb string, v any) error {
	return fmt.Errorf("cannot %s a %T as a form: that is for structs and for maps of strings or lists of strings", verb, v)
}

// isMap recognises maps of strings to strings or lists of strings, of named types too.
func isMap(t reflect.Type) bool {
	if t.Kind() != reflect.Map || t.Key().Kind() != reflect.String {
		return false
	}
	return t.Elem().Kind() == reflect.String || t.Elem().ConvertibleTo(reflect.TypeFor[[]string]())
}

// list gives the values of a key.
func list(v reflect.Value) []string {
	if v.Kind() == reflect.String {
		return []string{v.String()}
	}
	values, _ := v.Convert(reflect.TypeFor[[]string]()).Interface().([]string)
	return values
}

func setMap(m reflect.Value, pairs url.Values) {
	t := m.Type()
	m.Set(reflect.MakeMapWithSize(t, len(pairs)))
	for key, values := range pairs {
		value := reflect.ValueOf(values)
		if t.Elem().Kind() == reflect.String {
			value = value.Index(0)
		}
		m.SetMapIndex(reflect.ValueOf(key).Convert(t.Key()), value.Convert(t.Elem()))
	}
}

// maxPairs is the most that a body may have: they take more memory than bytes.
const maxPairs = 1 << 20

// parse takes a body apart. Every key has one value at least.
func parse(s string) (url.Values, error) {
	pairs := make(url.Values)
	for count := 0; s != ""; {
		var pair string
		if pair, s, _ = strings.Cut(s, "&"); pair == "" {
			continue
		}
		if count++; count > maxPairs {
			return nil, fmt.Errorf("it has more than %d pairs", maxPairs)
		}
		if strings.Contains(pair, ";") {
			// Some take it for what & is, others for a character.
			return nil, fmt.Errorf("%.40q has a semicolon", pair)
		}
		key, value, _ := strings.Cut(pair, "=")
		key, badKey := url.QueryUnescape(key)
		value, badValue := url.QueryUnescape(value)
		if err := errors.Join(badKey, badValue); err != nil {
			return nil, fmt.Errorf("%.40q is not well-formed", pair)
		}
		pairs[key] = append(pairs[key], value)
	}
	return pairs, nil
}
