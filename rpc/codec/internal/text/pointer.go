package text

import (
	"fmt"
	"reflect"
)

// maxPointers is how many pointers to each other are followed: a type can be a pointer
// to itself.
const maxPointers = 8

// Source gives what v points at, through all pointers. It is not valid if v or one of
// them is nil.
func Source(v any) reflect.Value {
	value := reflect.ValueOf(v)
	for range maxPointers {
		if value.Kind() != reflect.Pointer {
			break
		}
		value = value.Elem()
	}
	return value
}

// Target gives what v points at, through all pointers, and makes what is not there.
func Target(v any) (reflect.Value, error) {
	value := reflect.ValueOf(v)
	if value.Kind() != reflect.Pointer || value.IsNil() {
		return value, fmt.Errorf("cannot fill a %T: pass a pointer that is not nil", v)
	}
	for range maxPointers {
		if value.Kind() != reflect.Pointer {
			break
		}
		if value.IsNil() {
			value.Set(reflect.New(value.Type().Elem()))
		}
		value = value.Elem()
	}
	return value, nil
}
