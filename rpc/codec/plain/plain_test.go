package plain_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/dserver/dserver/rpc/codec/codectest"
	"github.com/dserver/dserver/rpc/codec/plain"
)

type (
	name  string
	level int8
	blob  []byte
)

func suite() codectest.Suite {
	return codectest.Suite{
		Codec: plain.Codec{}, ID: 's', Name: "plain",
		Values: []any{
			"text \x00\xff é", name("n"), []byte("\x00\xff"), blob("b"), true, level(-128),
			7, int64(math.MinInt64), uint64(math.MaxUint64), uint16(65535), float32(0.1), 1e-300, math.Inf(-1),
		},
		Recorded: []codectest.Body{
			{Value: 42, Bytes: "42"},
			{Value: "hello", Bytes: "hello"},
			{Value: 1e21, Bytes: "1000000000000000000000"},
			{Value: float32(0.1), Bytes: "0.1"},
			{Value: false, Bytes: "false"},
			{Value: []byte("\x00\x01\x02\xff\xfe\"\\\n"), Bytes: "\x00\x01\x02\xff\xfe\"\\\n"},
		},
		ReadOnly: []codectest.Body{
			{Value: 42, Bytes: "+42"},
			{Value: true, Bytes: "1"},
			{Value: 1000.0, Bytes: "1e3"},
		},
		Refused: []codectest.Refusal{
			{Value: struct{}{}, Want: "cannot write a struct {} as plain text: that is for strings, bytes, numbers and bools"},
			{Value: []int{1}, Want: "cannot write a []int"},
			{Value: map[string]string{}, Want: "cannot write a map"},
			{Value: new(any), Want: "cannot write a *interface {}"},
			{Value: uintptr(7), Want: "cannot write a uintptr"},
		},
		Broken: []codectest.Broken{
			{Bytes: "maybe", Target: new(bool), Want: `"maybe" is no bool: invalid syntax`},
			{Bytes: "7 ", Target: new(int), Want: `"7 " is no int: invalid syntax`},
			{Bytes: "", Target: new(int), Want: `"" is no int: invalid syntax`},
			{Bytes: "128", Target: new(level), Want: `"128" is no plain_test.level: value out of range`},
			{Bytes: "-1", Target: new(uint), Want: "invalid syntax"},
			{Bytes: "1e39", Target: new(float32), Want: "value out of range"},
			{Bytes: "7", Target: new(struct{}), Want: "cannot read a *struct {} as plain text"},
			{Bytes: "7", Target: new(any), Want: "cannot read a *interface {}"},
			{Bytes: "7", Target: []byte("x"), Want: "cannot fill a []uint8: pass a pointer"},
		},
	}
}

func TestCodec(t *testing.T) { suite().Run(t) }

// self is a type that nobody needs, which must not keep anybody busy for ever.
type self *self

func TestAPointerToItselfIsRefused(t *testing.T) {
	var s self
	s = &s
	if _, err := (plain.Codec{}).Marshal(s); err == nil {
		t.Error("encoded it")
	}
	if err := (plain.Codec{}).Unmarshal([]byte("7"), new(self)); err == nil {
		t.Error("decoded it")
	}
}

func FuzzUnmarshal(f *testing.F) {
	suite().Fuzz(f,
		func() any { return new(string) },
		func() any { return new([]byte) },
		func() any { return new(bool) },
		func() any { return new(level) },
		func() any { return new(uint64) },
		func() any { return new(float32) },
		func() any { return new(float64) },
	)
}

func ExampleCodec() {
	c := plain.Codec{}
	body, err := c.Marshal(42)
	fmt.Printf("%s %v\n", body, err)

	var n int
	err = c.Unmarshal(body, &n)
	fmt.Println(n, err)
	fmt.Println(c.Unmarshal([]byte("many"), &n))
	// Output:
	// 42 <nil>
	// 42 <nil>
	// cannot read plain text: "many" is no int: invalid syntax
}
