package payload

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Body is one of the things that calls carry.
type Body int

// The bodies there are.
const (
	Record Body = iota // a wide row, about 570 bytes
	Small              // 16 bytes
	Large              // 64 KiB, and as protobuf some bytes more
)

// Bodies lists all of them.
func Bodies() []Body { return []Body{Record, Small, Large} }

// String is the name in cells and routes.
func (b Body) String() string {
	switch b {
	case Record:
		return "record"
	case Small:
		return "16B"
	case Large:
		return "64KiB"
	}
	return fmt.Sprintf("Body(%d)", int(b))
}

// ParseBody reads what String writes.
func ParseBody(name string) (Body, error) {
	for _, b := range Bodies() {
		if b.String() == name {
			return b, nil
		}
	}
	return 0, fmt.Errorf("cannot use the body %q: there are record, 16B and 64KiB", name)
}

// ErrAnswer is an answer that does not belong to its call.
var ErrAnswer = errors.New("wrong answer")

// What the fields of a record have in them. A number of that size takes three bytes as
// protobuf.
const (
	text     = "seven texts like this one make the row as wide as it is."
	number   = 100_000
	answered = 100 // what the server writes over the number that is the answer
)

// Tag makes any number one that always takes the same room in a protobuf message.
func Tag(n uint32) int64 { return 1<<27 | int64(n&(1<<27-1)) }

// Fill sets all fields of a record, a pointer to a struct that some generator made.
func Fill(record any) {
	v := reflect.ValueOf(record).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.CanSet() {
			fill(f)
		}
	}
}

func fill(f reflect.Value) {
	switch f.Kind() {
	case reflect.Pointer:
		switch f.Type().Elem().Kind() {
		case reflect.Int32, reflect.Int64, reflect.Bool, reflect.String:
			f.Set(reflect.New(f.Type().Elem()))
			fill(f.Elem())
		}
	case reflect.Int32:
		f.SetInt(number)
	case reflect.Int64:
		f.SetInt(Tag(0))
	case reflect.Bool:
		f.SetBool(true)
	case reflect.String:
		f.SetString(text)
	}
}

// Answer gives what the server writes into the answer of a message.
func Answer(asked int32) int32 {
	if asked == number {
		return answered
	}
	return -1
}

// CheckRecord looks at fields of an answer: the changed one, the tag, and the text that
// comes last.
func CheckRecord(tag uint32, answer int32, got int64, last string) error {
	if answer != answered || got != Tag(tag) || last != text {
		return ErrAnswer
	}
	return nil
}

// Data gives what a message with data in it carries, with room for a tag at its
// beginning.
func Data(b Body) []byte {
	if b == Small {
		return []byte(strings.Repeat("x", 10))
	}
	return []byte(strings.Repeat("x", 64<<10))
}

// SetTag writes the tag at the beginning of data.
func SetTag(data []byte, n uint32) {
	data[0], data[1], data[2], data[3] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
}

// CheckData compares the ends of data that came back with what was sent, and the changed
// field.
func CheckData(sent, got []byte, answer int32) error {
	const end = 4
	if answer != answered || len(got) != len(sent) || string(got[:end]) != string(sent[:end]) ||
		string(got[len(got)-end:]) != string(sent[len(sent)-end:]) {
		return ErrAnswer
	}
	return nil
}
