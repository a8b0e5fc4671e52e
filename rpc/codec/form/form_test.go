package form_test

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc/codec/codectest"
	"github.com/dserver/dserver/rpc/codec/form"
)

// P is the type of the recorded bodies.
type P struct {
	A string   `form:"a"`
	N int      `form:"n"`
	L []string `form:"l"`
}

type (
	name  string
	level int8
	names []string

	page struct {
		Page, Size int
	}
	common struct {
		User name `form:"user"`
	}
	// all has a field of every kind.
	all struct {
		page
		*Range
		Common common
		Plain  string
		B      bool      `form:"b"`
		I      level     `form:"i"`
		U      uint64    `form:"u"`
		F      float32   `form:"f"`
		P      *int      `form:"p"`
		S      *string   `form:"s"`
		L      []int     `form:"l"`
		Names  names     `form:"names"`
		Ptrs   []*int    `form:"ptrs"`
		List   *[]string `form:"list"`
		D      [2]int    `form:"d"`
		Raw    []byte    `form:"raw"`
		Blobs  [][]byte  `form:"blobs"`
		Left   chan int  `form:"-"`
		T      time.Time
		Day    time.Time   `form:"day" time_format:"2006-01-02" time_utc:"true"`
		Local  *time.Time  `form:"local" time_format:"2006-01-02 15:04:05" time_location:"Europe/Berlin"`
		Times  []time.Time `form:"times" time_utc:"1"`
		hidden func()
	}
	// Range is there only if something is said of it.
	Range struct {
		From, To *int
	}
)

func number(n int) *int { return &n }

func word(s string) *string { return &s }

// filled has a value in each field.
func filled(t testing.TB) all {
	t.Helper()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	summer := time.Date(2024, 7, 1, 12, 30, 0, 0, berlin)
	return all{
		page: page{1, 20}, Range: &Range{To: number(0)}, Common: common{"ada"}, Plain: "x y&=;%",
		B: true, I: -128, U: 1 << 63, F: 0.1, P: number(0), S: word(""), L: []int{2, 1, 2}, Names: names{"b", "a"},
		Ptrs: []*int{number(1), number(2)}, List: &[]string{"x", ""}, D: [2]int{4, 44}, Raw: []byte{1, 255},
		Blobs: [][]byte{[]byte("\x00\xff"), []byte("b")},
		Day:   time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC), Local: &summer,
		Times: []time.Time{time.Date(2024, 2, 29, 1, 2, 3, 4, time.UTC), {}},
	}
}

func suite(t testing.TB) codectest.Suite {
	return codectest.Suite{
		Codec: form.Codec{}, ID: 'f', Name: "form",
		Values: []any{
			P{"x y", 3, []string{"1", "2"}}, &P{}, filled(t), all{},
			url.Values{"a": {"2", "1"}, "é&=": {""}}, map[string][]string{"a": {"b"}},
			map[string]string{"a": "b"}, map[name]names{"a": {"b", "c"}}, http.Header{"A": {"b"}},
		},
		// Older writers make a=x+y&l=2&l=1&n=3 of it.
		Recorded: []codectest.Body{
			{Value: &P{"x y", 3, []string{"1", "2"}}, Bytes: "a=x+y&l=1&l=2&n=3"},
			{Value: (*P)(nil)},
			{Value: url.Values{}},
		},
		ReadOnly: []codectest.Body{
			{Value: P{"x y", 3, []string{"2", "1"}}, Bytes: "a=x+y&l=2&l=1&n=3"},
			{Value: P{A: "first", N: 0}, Bytes: "&a=first&&a=second&n=&unknown=1&"},
			{Value: P{A: "é"}, Bytes: "a=%c3%A9"},
			{Value: map[string]string{"a": "1", "b": ""}, Bytes: "a=1&a=2&b"},
			{Value: all{}, Bytes: "p=&T=&i=&b=&f="},
		},
		Refused: []codectest.Refusal{
			{Value: 7, Want: "cannot write a int as a form: that is for structs"},
			{Value: []string{"a"}, Want: "cannot write a []string"},
			{Value: map[string]int{}, Want: "cannot write a map[string]int"},
			{Value: map[int]string{}, Want: "cannot write a map[int]string"},
			{Value: time.Now(), Want: "cannot write a time.Time"},
			{Value: struct{ C chan int }{}, Want: `field C: a chan int has no form: leave it out with the tag form:"-"`},
			{Value: struct{ M map[string]string }{}, Want: "field M: a map[string]string has no form"},
			{Value: struct{ A any }{}, Want: "field A: a interface {} has no form"},
			{Value: struct{ L [][]int }{[][]int{{1}}}, Want: "field L: a []int has no form"},
			{Value: struct {
				Sub page `form:"sub"`
			}{}, Want: "field Sub: a form_test.page has no form"},
			{Value: &node{Next: &node{}}, Want: "field Next: form_test.node holds itself"},
			{Value: struct {
				T time.Time `time_utc:"maybe"`
			}{}, Want: `field T: tag time_utc is "maybe"`},
			{Value: struct {
				T time.Time `time_location:"Moon/Sea"`
			}{}, Want: "field T: tag time_location: unknown time zone Moon/Sea"},
		},
		Broken: broken(),
		Small: []codectest.Small{
			{Name: "single letters", Bytes: strings.Repeat("l&", 1<<19), Target: new(url.Values), Most: 128 << 20},
			{Name: "more pairs than there may be", Bytes: strings.Repeat("l&", 1<<20+1), Target: new(P), Most: 128 << 20},
			{Name: "only separators", Bytes: strings.Repeat("&", 1<<20), Target: new(P), Most: 3 << 20},
		},
		Equal: equal,
	}
}

type node struct {
	Name string
	Next *node
}

func broken() []codectest.Broken {
	return []codectest.Broken{
		{Bytes: "b=maybe", Target: new(all), Want: `cannot read a form: field B: "maybe" is no bool: invalid syntax`},
		{Bytes: "n=three", Target: new(P), Want: `field N: "three" is no int: invalid syntax`},
		{Bytes: "n=9223372036854775808", Target: new(P), Want: "value out of range"},
		{Bytes: "i=128", Target: new(all), Want: "field I"},
		{Bytes: "u=-1", Target: new(all), Want: "field U"},
		{Bytes: "f=x", Target: new(all), Want: "field F"},
		{Bytes: "p=x", Target: new(all), Want: "field P"},
		{Bytes: "l=1&l=x", Target: new(all), Want: "field L"},
		{Bytes: "ptrs=x", Target: new(all), Want: "field Ptrs"},
		{Bytes: "To=x", Target: new(all), Want: "field Range: field To"},
		{Bytes: "d=1&d=2&d=3", Target: new(all), Want: "field D: 3 values, there is room for 2"},
		{Bytes: "day=29.2.2024", Target: new(all), Want: `field Day: "29.2.2024" is no time in the layout "2006-01-02"`},
		{Bytes: "T=now", Target: new(all), Want: "field T"},
		{Bytes: "a=%zz", Target: new(P), Want: `"a=%zz" is not well-formed`},
		{Bytes: "%=a", Target: new(P), Want: "is not well-formed"},
		{Bytes: "a=1;b=2", Target: new(P), Want: `"a=1;b=2" has a semicolon`},
		{Bytes: strings.Repeat("a&", 1<<20+1), Target: new(P), Want: "more than 1048576 pairs"},
		{Bytes: "C=1", Target: &struct{ C chan int }{}, Want: "field C: a chan int has no form"},
		{Bytes: "A=1", Target: &struct{ A any }{}, Want: "field A: a interface {} has no form"},
		{Bytes: "L=1", Target: &struct{ L [][]int }{}, Want: "field L: a []int has no form"},
		{Bytes: "S=1", Target: &struct{ S self }{}, Want: "field S: a form_test.self has no form"},
		{Bytes: "Name=1", Target: new(node), Want: "form_test.node holds itself"},
		{Bytes: "a=1", Target: new(int), Want: "cannot read a *int as a form"},
		{Bytes: "a=1", Target: new(time.Time), Want: "cannot read a *time.Time"},
		{Bytes: "a=1", Target: new(fmt.Stringer), Want: "cannot read a *fmt.Stringer"},
		{Bytes: "a=1", Target: P{}, Want: "cannot fill a form_test.P: pass a pointer"},
	}
}

// self is a type that nobody needs, which must not keep anybody busy for ever.
type self *self

// equal compares times as points in time, whatever location they are in.
func equal(a, b any) bool {
	x, isAll := a.(all)
	y, isToo := b.(all)
	if !isAll || !isToo {
		return reflect.DeepEqual(a, b)
	}
	same := x.T.Equal(y.T) && x.Day.Equal(y.Day) && len(x.Times) == len(y.Times) && (x.Local == nil) == (y.Local == nil)
	if !same || x.Local != nil && !x.Local.Equal(*y.Local) {
		return false
	}
	for i := range x.Times {
		same = same && x.Times[i].Equal(y.Times[i])
	}
	x.T, x.Day, x.Local, x.Times = y.T, y.Day, y.Local, y.Times
	return same && reflect.DeepEqual(x, y)
}

func TestCodec(t *testing.T) { suite(t).Run(t) }

// F44: older implementations write slices in reverse, and leave a bool as it was when
// they cannot read it.
func TestF44SlicesKeepTheirOrderAndABadBoolIsAnError(t *testing.T) {
	body, err := form.Codec{}.Marshal(P{L: []string{"1", "2", "3"}})
	if want := "a=&l=1&l=2&l=3&n=0"; err != nil || string(body) != want {
		t.Errorf("got %s, %v, want %s", body, err, want)
	}
	v := all{B: true}
	if err := (form.Codec{}).Unmarshal([]byte("b=maybe"), &v); err == nil {
		t.Errorf("got %v", v.B)
	}
}

func TestWhatThereIsNoPairForStaysAsItWas(t *testing.T) {
	v := all{Plain: "old", L: []int{1}, Range: &Range{From: number(1)}, D: [2]int{1, 2}}
	if err := (form.Codec{}).Unmarshal([]byte("To=2&d=7&l=3&l=4"), &v); err != nil {
		t.Fatal(err)
	}
	want := all{Plain: "old", L: []int{3, 4}, Range: &Range{number(1), number(2)}, D: [2]int{7, 0}}
	if !reflect.DeepEqual(v, want) {
		t.Errorf("got %+v, want %+v", v, want)
	}
}

func TestAnEmptyInterfaceReceivesValues(t *testing.T) {
	var v any
	if err := (form.Codec{}).Unmarshal([]byte("a=1&a=2"), &v); err != nil || !reflect.DeepEqual(v, url.Values{"a": {"1", "2"}}) {
		t.Errorf("got %#v, %v", v, err)
	}
}

// TestEveryKindAsText pins the form of each.
func TestEveryKindAsText(t *testing.T) {
	got, err := form.Codec{}.Marshal(filled(t))
	want := "Page=1&Plain=x+y%26%3D%3B%25&Size=20&T=&To=0&b=true&blobs=%00%FF&blobs=b&d=4&d=44&day=2024-02-29&f=0.1" +
		"&i=-128&l=2&l=1&l=2&list=x&list=&local=2024-07-01+12%3A30%3A00&names=b&names=a&p=0&ptrs=1&ptrs=2&raw=1&raw=255" +
		"&s=&times=2024-02-29T01%3A02%3A03.000000004Z&times=&u=9223372036854775808&user=ada"
	if err != nil || string(got) != want {
		t.Errorf("got\n%s, %v, want\n%s", got, err, want)
	}
}

func FuzzUnmarshal(f *testing.F) {
	suite(f).Fuzz(f,
		func() any { return new(url.Values) },
		func() any { return new(map[string]string) },
		func() any { return new(P) },
		func() any { return new(all) },
	)
}

// FuzzParse compares with net/url, which allows fewer pairs.
func FuzzParse(f *testing.F) {
	f.Add("a=x+y&l=2&l=1&n=3")
	f.Add("&a&=&%41=%2b&a;b")
	f.Add("a=%zz&b==c")
	f.Fuzz(func(t *testing.T, in string) {
		if strings.Count(in, "&") > 1000 {
			return
		}
		var got url.Values
		err := form.Codec{}.Unmarshal([]byte(in), &got)
		want, wantErr := url.ParseQuery(in)
		if (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %q, %v, want %q, %v", in, got, err, want, wantErr)
		}
	})
}
