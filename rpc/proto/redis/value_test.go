package redis_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto/redis"
	"github.com/dserver/dserver/rpc/status"
)

type colour string

func TestValuesOfGo(t *testing.T) {
	n, text := 7, "a"
	for _, test := range []struct {
		v    any
		want string
	}{
		{nil, "_\r\n"},
		{(*int)(nil), "_\r\n"},
		{(*status.Status)(nil), "_\r\n"},
		{&n, ":7\r\n"},
		{"", "$0\r\n\r\n"},
		{"a\r\nb", "$4\r\na\r\nb\r\n"},
		{colour("red"), "$3\r\nred\r\n"},
		{[]byte(nil), "$0\r\n\r\n"},
		{json.RawMessage("{}"), "$2\r\n{}\r\n"},
		{[2]byte{'a', 'b'}, "*2\r\n:97\r\n:98\r\n"},
		{redis.Simple("OK"), "+OK\r\n"},
		{redis.Simple("a\r\n:1"), "+a  :1\r\n"},
		{7, ":7\r\n"},
		{int8(-7), ":-7\r\n"},
		{int64(math.MinInt64), ":-9223372036854775808\r\n"},
		{uint32(7), ":7\r\n"},
		{uint64(math.MaxInt64), ":9223372036854775807\r\n"},
		{uint64(math.MaxUint64), "(18446744073709551615\r\n"},
		{1.5, ",1.5\r\n"},
		{float32(0.1), ",0.1\r\n"},
		{math.Inf(1), ",inf\r\n"},
		{math.Inf(-1), ",-inf\r\n"},
		{math.NaN(), ",nan\r\n"},
		{float32(math.Inf(1)), ",inf\r\n"},
		{1e300, ",1e+300\r\n"},
		{true, "#t\r\n"},
		{false, "#f\r\n"},
		{[]string{"a", ""}, "*2\r\n$1\r\na\r\n$0\r\n\r\n"},
		{[]string(nil), "*0\r\n"},
		{[][]byte{[]byte("a")}, "*1\r\n$1\r\na\r\n"},
		{[]any{1, nil, []int{2}}, "*3\r\n:1\r\n_\r\n*1\r\n:2\r\n"},
		{[]*string{&text, nil}, "*2\r\n$1\r\na\r\n_\r\n"},
		{map[string]int{"b": 2, "a": 1}, "%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:2\r\n"},
		{map[string]any(nil), "%0\r\n"},
		{redis.Pairs{"b", 1, "a", 2}, "%2\r\n$1\r\nb\r\n:1\r\n$1\r\na\r\n:2\r\n"},
		{redis.Set{1}, "~1\r\n:1\r\n"},
		{[]any{redis.Errorf("BUSY a\nb")}, "*1\r\n-BUSY a b\r\n"},
	} {
		got, err := redis.AppendValue([]byte(">"), test.v)
		if err != nil || string(got) != ">"+test.want {
			t.Errorf("%#v: got %q, %v, want %q", test.v, got, err, test.want)
		}
		if _, err := redis.ParseValue(got[1:]); err != nil {
			t.Errorf("%#v: %v", test.v, err)
		}
	}
}

func TestValuesThatRESPDoesNotHave(t *testing.T) {
	loop := []any{nil}
	loop[0] = loop
	for _, v := range []any{
		struct{}{}, make(chan int), func() {}, 1i, redis.Pairs{1}, loop, []any{struct{}{}}, map[string]any{"a": struct{}{}}, map[[1]chan int]int{{nil}: 1},
		redis.Value{}, redis.Value{Kind: 'x'}, redis.Value{Kind: redis.KindInteger, Text: "1\r\n:2"}, redis.Value{Kind: redis.KindMap, Items: make([]redis.Value, 1)},
		redis.Value{Kind: redis.KindArray, Items: make([]redis.Value, 1)}, redis.Pairs{struct{}{}, 1}, [1]any{loop},
	} {
		if got, err := redis.AppendValue([]byte("before"), v); err == nil || string(got) != "before" {
			t.Errorf("%T: got %q", v, got)
		}
	}
}

func TestValuesAreParsed(t *testing.T) {
	for in, want := range map[string]redis.Value{
		"_\r\n":                    {Kind: '_'},
		"$-1\r\n":                  {Kind: '_'},
		"*-1\r\n":                  {Kind: '_'},
		"$0\r\n\r\n":               {Kind: '$'},
		"=5\r\ntxt:a\r\n":          {Kind: '=', Text: "a"},
		"*1\r\n%1\r\n+a\r\n#t\r\n": {Kind: '*', Items: []redis.Value{{Kind: '%', Items: []redis.Value{{Kind: '+', Text: "a"}, {Kind: '#', Text: "t"}}}}},
		"|1\r\n+a\r\n+b\r\n:1\r\n": {Kind: ':', Text: "1"},
	} {
		got, err := redis.ParseValue([]byte(in))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", ":1", ":1\r\n ", "*1\r\n", "|1\r\n+a\r\n+b\r\n", strings.Repeat("*1\r\n", 50) + ":1\r\n"} {
		if v, err := redis.ParseValue([]byte(in)); !errors.Is(err, redis.ErrValue) {
			t.Errorf("%q: got %+v, %v", in, v, err)
		}
	}
}

func TestCodecReadsReplies(t *testing.T) {
	for _, test := range []struct {
		in     string
		target any
		want   any
	}{
		{"$1\r\na\r\n", new(string), "a"},
		{":7\r\n", new(string), "7"},
		{":7\r\n", new(int), 7},
		{"$1\r\n7\r\n", new(int64), int64(7)},
		{"#t\r\n", new(int), 1},
		{",1.5\r\n", new(float64), 1.5},
		{"$3\r\ninf\r\n", new(float64), math.Inf(1)},
		{":1\r\n", new(bool), true},
		{"#f\r\n", new(bool), false},
		{"*2\r\n+a\r\n_\r\n", new([]string), []string{"a", ""}},
		{"~1\r\n:1\r\n", new([][]byte), [][]byte{[]byte("1")}},
		{"%1\r\n+a\r\n+b\r\n", new(map[string]string), map[string]string{"a": "b"}},
		{"*2\r\n+a\r\n+b\r\n", new(map[string]string), map[string]string{"a": "b"}},
		{"_\r\n", new(redis.Value), redis.Value{Kind: '_'}},
		{"_\r\n", new(any), nil},
		{"$-1\r\n", new(string), ""},
		{"+OK\r\n", new(any), "OK"},
		{"*6\r\n:1\r\n,2.5\r\n#t\r\n_\r\n(12\r\n%1\r\n+a\r\n~0\r\n", new(any), []any{int64(1), 2.5, true, nil, "12", map[string]any{"a": []any{}}}},
		{`["YQ==",""]`, new([][]byte), [][]byte{[]byte("a"), {}}},
		{`["YQ=="]`, new([]string), []string{"a"}},
		{`["YQ=="]`, new(any), [][]byte{[]byte("a")}},
	} {
		err := redis.Codec{}.Unmarshal([]byte(test.in), test.target)
		if got := reflect.ValueOf(test.target).Elem().Interface(); err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q into %T: got %#v, %v", test.in, test.target, got, err)
		}
	}
	for _, test := range []struct {
		in     string
		target any
	}{
		{"+a\r\n", new(int)}, {"*0\r\n", new(string)}, {"*0\r\n", new(int)}, {"+x\r\n", new(bool)}, {"+a\r\n", new([]string)}, {"*1\r\n*0\r\n", new([]string)},
		{"*1\r\n+a\r\n", new(map[string]string)}, {"+a\r\n", new(map[string]string)}, {"+a\r\n", new(struct{})}, {"+a\r\n", nil}, {"+a", new(string)},
		{`["x"]`, new([]string)}, {`["YQ=="`, new([]string)}, {`["YQ=="]`, new(string)}, {`[1]`, new([][]byte)}, {"*1\r\n-ERR\r\n", new([]string)},
	} {
		if err := (redis.Codec{}).Unmarshal([]byte(test.in), test.target); err == nil {
			t.Errorf("%q went into %T", test.in, test.target)
		}
	}
}

// FuzzValue: no input panics; what is parsed is written and parsed again as the same,
// and RESP2 of it has nothing that RESP2 does not have.
func FuzzValue(f *testing.F) {
	for _, seed := range []string{
		"_\r\n", "$-1\r\n", "*-1\r\n", "$1\r\na\r\n", "+OK\r\n", ":1\r\n", ",1.5\r\n", ",inf\r\n", "#t\r\n", "(12\r\n", "-ERR a\r\n", "!1\r\na\r\n",
		"=5\r\ntxt:a\r\n", "*1\r\n~1\r\n%1\r\n+a\r\n_\r\n", "|1\r\n+a\r\n+b\r\n:1\r\n", ">1\r\n+a\r\n", "*99999999\r\n", `["YQ==",""]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, target := range []any{new(any), new(string), new(int), new(float64), new(bool), new([]string), new(map[string]string)} {
			_ = redis.Codec{}.Unmarshal(in, target)
		}
		v, err := redis.ParseValue(in)
		if err != nil {
			return
		}
		out, err := redis.AppendValue(nil, v)
		if err != nil {
			t.Fatalf("%q is parsed as %+v, and cannot be written: %v", in, v, err)
		}
		if again, err := redis.ParseValue(out); err != nil || !reflect.DeepEqual(v, again) {
			t.Fatalf("%+v became %q, %+v, %v", v, out, again, err)
		}
		p := newProto(1 << 20)
		m := message.Message{Type: message.Reply, Seq: cut(t, p, "ping\n").Seq, Body: in}
		two, err := p.AppendFrame(nil, &m)
		if err != nil {
			return // a push, or longer than the limit
		}
		if old, err := redis.ParseValue(two); err != nil || newer(old) {
			t.Fatalf("%q became %q for RESP2: %v", in, two, err)
		}
	})
}

func newer(v redis.Value) bool {
	for _, item := range v.Items {
		if newer(item) {
			return true
		}
	}
	return strings.IndexByte("#,(!=%~>", v.Kind) >= 0
}

// FuzzArgs: a body is read as encoding/json reads it.
func FuzzArgs(f *testing.F) {
	for _, seed := range []string{`[]`, `["YQ==",""]`, ` [ "YQ==" ] `, `["YQ\u003d="]`, `["a"]`, `[null]`, `["YQ==",]`, "[\"Y\nQ==\"]", `["YQ=="]]`, `[`, `["YQ=`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) == 0 || in[0] != '[' {
			return
		}
		var got, want [][]byte
		err := redis.Codec{}.Unmarshal(in, &got)
		errWant := json.Unmarshal(in, &want)
		if (err == nil) != (errWant == nil) || err == nil && len(got) != len(want) {
			t.Fatalf("%q: got %q, %v, want %q, %v", in, got, err, want, errWant)
		}
		for i := range got {
			if err == nil && !bytes.Equal(got[i], want[i]) {
				t.Fatalf("%q: got %q, want %q", in, got, want)
			}
		}
	})
}
