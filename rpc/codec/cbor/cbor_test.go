package cbor_test

import (
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/codec/cbor"
	"github.com/dserver/dserver/rpc/codec/codectest"
)

type order struct {
	ID    int64          `json:"id"`
	Items []string       `json:"items" cbor:"list"`
	Price float64        `json:"price,omitempty"`
	Blob  []byte         `json:"blob"`
	Extra map[string]any `json:"extra"`
	Next  *order         `json:"next"`
	left  int
}

// wide is a type whose values take more memory than bytes.
type wide struct {
	A [128]int64
}

func newCodec(t testing.TB) *cbor.Codec {
	t.Helper()
	c, err := cbor.New(codec.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func suite(t testing.TB) codectest.Suite {
	return codectest.Suite{
		Codec: newCodec(t), ID: 'c', Name: "cbor", OneWay: "for time.Time",
		Refused: []codectest.Refusal{
			{Value: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), Want: "cannot write a time.Time as cbor: "},
			{Value: map[string]any{"at": []time.Time{time.Date(-1, 1, 1, 0, 0, 0, 7, time.UTC)}}, Want: "cannot write a map[string]interface {} as cbor: "},
		},
		Values: []any{
			order{
				ID: -1, Items: []string{"tea", "é"}, Price: 0.1, Blob: []byte{0, 255},
				Extra: map[string]any{"n": uint64(7), "neg": int64(-7), "list": []any{nil, true, "x", 1.5, []byte("b")}},
				Next:  &order{Items: []string{strings.Repeat("long", 20000)}},
			},
			"text", 7, -70000, uint64(1 << 63), 1.5, float32(0.1), true, []byte("b"), []byte("\xc0\x7410000-01-01T00:00:00Z"), []int{1, 2, 3}, map[string]int{"a": 1},
			make([]int, 70000), map[string]any{"a": "b"}, &order{}, time.Date(2024, 2, 29, 1, 2, 3, 4, time.UTC),
		},
		// The examples of RFC 8949, appendix A.
		Recorded: []codectest.Body{
			{Value: map[string]any{"a": uint64(1), "b": []any{uint64(2), uint64(3)}}, Bytes: "\xa2aa\x01ab\x82\x02\x03"},
			{Value: -1000, Bytes: "\x39\x03\xe7"},
			{Value: 1.5, Bytes: "\xf9\x3e\x00"},
			{Value: time.Date(2013, 3, 21, 20, 4, 0, 0, time.UTC), Bytes: "\xc0\x742013-03-21T20:04:00Z"},
			{Value: nil, Bytes: "\xf6"},
		},
		ReadOnly: []codectest.Body{
			{Value: []int{1, 2}, Bytes: "\x9f\x01\x02\xff"},
			{Value: "streaming", Bytes: "\x7f\x65strea\x64ming\xff"},
			{Value: *big.NewInt(0).Lsh(big.NewInt(1), 64), Bytes: "\xc2\x49\x01\x00\x00\x00\x00\x00\x00\x00\x00"},
			{Value: struct{ A int }{7}, Bytes: "\xa2\x61A\x07\x61B\x82\xd9\x03\xe8\x00\x80"},
		},
		Broken: broken(),
		Small: []codectest.Small{
			{Name: "an announced array", Bytes: "\x9a\x00\x10\x00\x00", Target: new([]wide), Most: 4096},
			{Name: "an announced array in an array", Bytes: "\x81\x9b\x00\x00\x00\x00\x7f\xff\xff\xff", Target: new([][]string), Most: 4096},
			{Name: "an announced map", Bytes: "\xba\x00\x10\x00\x00", Target: new(map[string]wide), Most: 4096},
			{Name: "an announced map in any", Bytes: "\x81\xba\x00\x0f\x00\x00", Target: new(any), Most: 4096},
			{Name: "an announced text", Bytes: "\x7a\x7f\xff\xff\xff", Target: new(string), Most: 4096},
			{Name: "announced bytes", Bytes: "\x5a\x7f\xff\xff\xff", Target: new([]byte), Most: 4096},
			{Name: "a text that is there in part", Bytes: "\x7a\x01\x00\x00\x00" + strings.Repeat("x", 1000), Target: new(any), Most: 8192},
			{Name: "arrays within each other", Bytes: strings.Repeat("\x81", 10000), Target: new(any), Most: 32 << 10},
			{Name: "tags within each other", Bytes: strings.Repeat("\xd8\x40", 10000), Target: new(any), Most: 32 << 10},
			{Name: "endless arrays within each other", Bytes: strings.Repeat("\x9f", 10000), Target: new(any), Most: 32 << 10},
		},
		Equal: func(a, b any) bool {
			if x, ok := a.(time.Time); ok {
				y, _ := b.(time.Time)
				return x.Equal(y)
			}
			return reflect.DeepEqual(a, b)
		},
	}
}

func broken() []codectest.Broken {
	return []codectest.Broken{
		{Bytes: "", Target: new(any), Want: "EOF"},
		{Bytes: "\x82\x01", Target: new(any), Want: "unexpected EOF"},
		{Bytes: "\x1c", Target: new(any), Want: "invalid"},
		{Bytes: "\x01\x02", Target: new(int), Want: "1 bytes of extraneous data"},
		{Bytes: "\x61x", Target: new(int), Want: "cannot read cbor into a *int: "},
		{Bytes: "\x19\x01\x2c", Target: new(int8), Want: "cannot unmarshal"},
		{Bytes: "\x20", Target: new(uint), Want: "cannot unmarshal"},
		{Bytes: "\x61\xff", Target: new(string), Want: "invalid UTF-8"},
		{Bytes: "\xa1\x80\x01", Target: new(map[any]any), Want: "cannot read cbor into a *map[interface {}]interface {}: "},
		{Bytes: "\xa1\x01\x01", Target: new(any), Want: "cannot read cbor into a *interface {}: "},
		{Bytes: strings.Repeat("\x81", 101) + "\x01", Target: new(any), Want: "exceeded max nested level 100"},
		{Bytes: "\x9a\x00\x10\x00\x01" + strings.Repeat("\xf6", 1<<20+1), Target: new([]int), Want: "exceeded max number of elements 1048576"},
	}
}

func TestCodec(t *testing.T) { suite(t).Run(t) }

func TestLimitsAreThoseThatAreGiven(t *testing.T) {
	codectest.Limits(t, cbor.New, codec.Limits{Depth: 4, Elements: 16}, map[string]string{
		strings.Repeat("\x81", 3) + "\x80":           "",
		strings.Repeat("\x81", 5) + "\x80":           "exceeded max nested level 4",
		"\x90" + strings.Repeat("\x01", 16):          "",
		"\x91" + strings.Repeat("\x01", 17):          "exceeded max number of elements 16",
		"\x9f" + strings.Repeat("\x01", 17) + "\xff": "exceeded max number of elements 16",
		"\xb1" + strings.Repeat("\x61x\x01", 17):     "exceeded max number of key-value pairs 16",
	})
}

func FuzzUnmarshal(f *testing.F) {
	suite(f).Fuzz(f,
		func() any { return new(any) },
		func() any { return new(order) },
		func() any { return new(map[any]any) },
		func() any { return new(map[string]string) },
		func() any { return new([]string) },
		func() any { return new([][2]int8) },
	)
}

func ExampleCodec() {
	type order struct {
		ID    int      `json:"id"`
		Items []string `json:"items"`
	}
	c, err := cbor.New(codec.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	body, err := c.Marshal(order{7, []string{"tea"}})
	fmt.Printf("%q %v\n", body, err)

	var o order
	err = c.Unmarshal(body, &o)
	fmt.Println(o, err)
	var small int8
	fmt.Println(c.Unmarshal([]byte("\x19\x01\x2c"), &small) != nil, small) // 300 does not fit
	// Output:
	// "\xa2bid\aeitems\x81ctea" <nil>
	// {7 [tea]} <nil>
	// true 0
}
