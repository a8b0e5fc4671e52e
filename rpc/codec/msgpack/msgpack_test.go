package msgpack_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/codec/codectest"
	"github.com/dserver/dserver/rpc/codec/msgpack"
)

type order struct {
	ID    int64          `json:"id"`
	Items []string       `json:"items" msgpack:"list"`
	Price float64        `json:"price,omitempty"`
	Blob  []byte         `json:"blob"`
	Extra map[string]any `json:"extra"`
	Next  *order         `json:"next"`
	At    time.Time
	left  int
}

// wide is a type whose values take more memory than bytes.
type wide struct {
	A [128]int64
}

func newCodec(t testing.TB) *msgpack.Codec {
	t.Helper()
	c, err := msgpack.New(codec.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func suite(t testing.TB) codectest.Suite {
	return codectest.Suite{
		Codec: newCodec(t), ID: 'm', Name: "msgpack",
		Values: []any{
			order{
				ID: -1, Items: []string{"tea", "é"}, Price: 0.1, Blob: []byte{0, 255}, At: time.Unix(1700000000, 7),
				Extra: map[string]any{"n": int64(7), "big": uint64(1 << 63), "list": []any{nil, true, "x", 1.5}},
				Next:  &order{Items: []string{strings.Repeat("long", 20000)}, At: time.Unix(0, 0)},
			},
			"text", 7, -70000, uint64(1 << 63), 1.5, true, []byte("b"), []int{1, 2, 3}, map[string]int{"a": 1},
			make([]int, 70000), map[string]any{"a": "b"}, &order{At: time.Unix(0, 0)},
		},
		// What others write for the same: the examples of the specification.
		Recorded: []codectest.Body{
			{Value: map[string]any{"compact": true, "schema": int64(0)}, Bytes: "\x82\xa7compact\xc3\xa6schema\x00"},
			{Value: []int{1, -1, 128, -33, 65536}, Bytes: "\x95\x01\xff\xcc\x80\xd0\xdf\xce\x00\x01\x00\x00"},
			{Value: nil, Bytes: "\xc0"},
		},
		ReadOnly: []codectest.Body{
			{Value: []int{1, 2}, Bytes: "\xdd\x00\x00\x00\x02\xd3\x00\x00\x00\x00\x00\x00\x00\x01\xcd\x00\x02"},
			{Value: map[string]int{"a": 1}, Bytes: "\xdf\x00\x00\x00\x01\xdb\x00\x00\x00\x01a\x01"},
			{Value: struct{ A int }{7}, Bytes: "\x82\xa1A\x07\xa1B\x92\xd4\x05\x00\xc8\x00\x01\x06x"},
		},
		Broken: append(broken(), []codectest.Broken{
			{Bytes: "\xa1x", Target: new(int), Want: "cannot read msgpack into a *int"},
			{Bytes: "\x81\x90\x01", Target: new(map[any]any), Want: "cannot read msgpack into a *map[interface {}]interface {}: "},
			{Bytes: "\x81\x01\x01", Target: new(any), Want: "cannot read msgpack into a *interface {}"},
			{Bytes: "\xd4\x05\x00", Target: new(any), Want: "unknown ext id=5"},
			{Bytes: "\xd4\x80\x00", Target: new(any), Want: "cannot read"},
			{Bytes: "\xd4\x05\x81\xa0\x00", Target: new(map[string]int), Want: "2 bytes are behind"},
			{Bytes: "\x92\xd4\x05\x80\x07", Target: new([]map[string]int), Want: "an extension stands where another value should be"},
			{Bytes: "\xd7\xff\x81\xa1A\xdd\x00\x10\x00\x00", Target: new(map[string][]wide), Want: "an extension stands"},
			{Bytes: "\x92\xc7\x00\x05\x80", Target: new([]map[string]int), Want: "an extension has no bytes"},
		}...),
		Small: []codectest.Small{
			{Name: "an announced array", Bytes: "\xdd\x00\x10\x00\x00", Target: new([]wide), Most: 4096},
			{Name: "an announced array in an array", Bytes: "\x91\xdd\xff\xff\xff\xff", Target: new([][]string), Most: 4096},
			{Name: "an announced map", Bytes: "\xdf\x00\x10\x00\x00", Target: new(map[string]wide), Most: 4096},
			{Name: "an announced map in any", Bytes: "\x91\xdf\x00\x0f\x00\x00", Target: new(any), Most: 4096},
			{Name: "an announced text", Bytes: "\xdb\x7f\xff\xff\xff", Target: new(string), Most: 4096},
			{Name: "announced bytes", Bytes: "\xc6\x7f\xff\xff\xff", Target: new([]byte), Most: 4096},
			{Name: "an announced extension", Bytes: "\xc9\x7f\xff\xff\xff\xff", Target: new(time.Time), Most: 4096},
			{Name: "an announced map in an extension", Bytes: "\xd6\x05\xdf\x00\x10\x00", Target: new(map[string]wide), Most: 4096},
			{Name: "an announced array in one", Bytes: "\xd7\xff\x81\xa1A\xdd\x00\x10\x00\x00", Target: new(map[string][]wide), Most: 4096},
			{Name: "a text that is there in part", Bytes: "\xdb\x01\x00\x00\x00" + strings.Repeat("x", 1000), Target: new(any), Most: 8192},
			{Name: "arrays within each other", Bytes: strings.Repeat("\x91", 10000), Target: new(any), Most: 32 << 10},
			{Name: "maps within each other", Bytes: strings.Repeat("\x81\xa0", 10000), Target: new(any), Most: 32 << 10},
		},
		Equal: equal,
	}
}

// broken are the bodies that the check refuses before anything is decoded.
func broken() []codectest.Broken {
	const short = "cannot read msgpack: the body ends in the middle of a value"
	var all []codectest.Broken
	for _, head := range []string{
		"", "\x91", "\x81\x01", "\xa2x", "\xc4", "\xc4\x01", "\xc5\x00", "\xc6\x00\x00\x00", "\xc7\x01", "\xc7\x01\x05",
		"\xc8\x00\x01\x05", "\xc9\x00\x00\x00\x01\x05", "\xca\x00\x00\x00", "\xcb\x00\x00\x00\x00\x00\x00\x00",
		"\xcc", "\xcd\x00", "\xce\x00\x00\x00", "\xcf\x00\x00\x00\x00\x00\x00\x00", "\xd0", "\xd1\x00", "\xd2\x00\x00\x00",
		"\xd3\x00\x00\x00\x00\x00\x00\x00", "\xd4\x05", "\xd5\x05\x00", "\xd6\x05\x00\x00\x00", "\xd7\x05\x00\x00\x00\x00\x00\x00\x00",
		"\xd8\x05" + strings.Repeat("\x00", 15), "\xd9\x01", "\xda\x00\x01", "\xdb\x00\x00\x00\x01",
		"\xdc\x00\x01", "\xdc\x00", "\xdd\x00\x00\x00\x01", "\xde\x00\x01\x00", "\xdf\x00\x00\x00\x01\x00",
	} {
		all = append(all, codectest.Broken{Bytes: head, Target: new(any), Want: short})
	}
	return append(all,
		codectest.Broken{Bytes: "\xc1", Target: new(any), Want: "byte c1 begins no value"},
		codectest.Broken{Bytes: "\x92\x01\xc1", Target: new([]int), Want: "byte c1 begins no value"},
		codectest.Broken{Bytes: "\x01\x02", Target: new(int), Want: "1 bytes are behind the value"},
		codectest.Broken{Bytes: strings.Repeat("\x91", 101) + "\x01", Target: new(any), Want: "more than 100 arrays and maps are within each other"},
		codectest.Broken{Bytes: "\xdd\x00\x10\x00\x01" + strings.Repeat("\xc0", 1<<20+1), Target: new([]int), Want: "has 1048577 elements, the most is 1048576"},
	)
}

func equal(a, b any) bool {
	x, isOrder := a.(order)
	if p, ok := a.(*order); ok {
		x, isOrder = *p, true
	}
	y, _ := b.(order)
	if p, ok := b.(*order); ok {
		y = *p
	}
	if !isOrder {
		return reflect.DeepEqual(a, b)
	}
	same := x.At.Equal(y.At) && (x.Next == nil) == (y.Next == nil) && (x.Next == nil || equal(*x.Next, *y.Next))
	x.At, x.Next, y.At, y.Next = time.Time{}, nil, time.Time{}, nil
	return same && reflect.DeepEqual(x, y)
}

func TestCodec(t *testing.T) { suite(t).Run(t) }

// TestTimesThatLookLikeMaps: the bytes of some begin as a map does.
func TestTimesThatLookLikeMaps(t *testing.T) {
	type span struct{ From, To time.Time }
	c := newCodec(t)
	for nano := range 1000 {
		at := time.Unix(1700000000, int64(nano)*1e6+7)
		want := []span{{at, time.Unix(int64(nano)*5e6, 0)}}
		b, err := c.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got []span
		if err := c.Unmarshal(b, &got); err != nil || !got[0].From.Equal(at) || !got[0].To.Equal(want[0].To) {
			t.Fatalf("%x: got %v, %v, want %v", b, got, err, want)
		}
	}
}

func TestLimitsAreThoseThatAreGiven(t *testing.T) {
	codectest.Limits(t, msgpack.New, codec.Limits{Depth: 4, Elements: 16}, map[string]string{
		strings.Repeat("\x91", 4) + "\x90":                           "",
		strings.Repeat("\x91", 5) + "\x90":                           "more than 4 arrays",
		"\xdc\x00\x10" + strings.Repeat("\x01", 16):                  "",
		"\xdc\x00\x11" + strings.Repeat("\x01", 17):                  "has 17 elements",
		"\xde\x00\x10" + strings.Repeat("\xa1x\x01", 16):             "",
		"\xde\x00\x11" + strings.Repeat("\xa1x\x01", 17):             "has 17 elements",
		"\x92" + strings.Repeat("\x91\x91\x91\x01", 2):               "",
		"\x9f" + strings.Repeat("\x9f"+string(make([]byte, 15)), 15): "",
	})
}

func FuzzUnmarshal(f *testing.F) {
	suite(f).Fuzz(f,
		func() any { return new(any) },
		func() any { return new(order) },
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
	c, err := msgpack.New(codec.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	body, err := c.Marshal(order{7, []string{"tea"}})
	fmt.Printf("%q %v\n", body, err)

	var o order
	err = c.Unmarshal(body, &o)
	fmt.Println(o, err)
	// An array of more elements than there are bytes.
	fmt.Println(c.Unmarshal([]byte("\xdd\x00\x10\x00\x00"), &o.Items))
	// Output:
	// "\x82\xa2id\a\xa5items\x91\xa3tea" <nil>
	// {7 [tea]} <nil>
	// cannot read msgpack: the body ends in the middle of a value
}
