package codec_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/codec/codectest"
)

type fake struct {
	codec.JSON
	id   byte
	name string
}

func (f fake) ID() byte     { return f.id }
func (f fake) Name() string { return f.name }

func TestRegistryFindsByIDAndName(t *testing.T) {
	r, err := codec.NewRegistry(codec.JSON{}, fake{id: 'q', name: "quick"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Default().Name() != "json" {
		t.Errorf("default is %s", r.Default().Name())
	}
	if c, ok := r.Lookup('q'); !ok || c.Name() != "quick" {
		t.Errorf("by id: %v, %v", c, ok)
	}
	if c, ok := r.Named("json"); !ok || c.ID() != codec.IDJSON {
		t.Errorf("by name: %v, %v", c, ok)
	}
	if _, ok := r.Lookup(0); ok {
		t.Error("found a codec with id 0")
	}
	if _, ok := r.Named("none"); ok {
		t.Error("found a codec that is not there")
	}
}

func TestRegistryRefuses(t *testing.T) {
	tests := []struct {
		codecs []codec.Codec
		want   string
	}{
		{nil, "no codec given"},
		{[]codec.Codec{nil}, "needs an id and a name"},
		{[]codec.Codec{fake{id: 0, name: "zero"}}, "needs an id and a name"},
		{[]codec.Codec{fake{id: 'q'}}, "needs an id and a name"},
		{[]codec.Codec{codec.JSON{}, fake{id: 'j', name: "other"}}, `id 106 is taken by "json"`},
		{[]codec.Codec{codec.JSON{}, fake{id: 'q', name: "json"}}, `codec "json" twice`},
	}
	for _, test := range tests {
		if _, err := codec.NewRegistry(test.codecs...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}

// small is a value as most bodies are.
type small struct {
	A string `json:"a"`
	N []int  `json:"n"`
}

func TestJSON(t *testing.T) {
	codectest.Suite{
		Codec: codec.JSON{}, ID: 'j', Name: "json",
		Values: []any{small{"x y", []int{1, 2}}, "text", 7, 1.5, true, map[string]any{"a": "b"}, &small{A: "é\"\\"}},
		Recorded: []codectest.Body{
			{Value: "q\"b\\s\nn<&>", Bytes: `"q\"b\\s\nn\u003c\u0026\u003e"`},
			{Value: []int{1, 2, 3}, Bytes: `[1,2,3]`},
			{Value: map[string]any{"a": "b"}, Bytes: `{"a":"b"}`},
			{Value: (*struct{})(nil), Bytes: `null`},
		},
		Broken: []codectest.Broken{
			{Bytes: `{"a":7}`, Target: new(small), Want: "cannot unmarshal number"},
			{Bytes: `{"a":"b"} x`, Target: new(small), Want: "after top-level value"},
			{Bytes: strings.Repeat("[", 1<<20), Target: new(any), Want: "exceeded max depth"},
		},
	}.Run(t)
}

func TestBytes(t *testing.T) {
	codectest.Suite{
		Codec: codec.Bytes{}, ID: 'b', Name: "bytes",
		Values:   []any{"text", []byte("\x00\xff")},
		Recorded: []codectest.Body{{Value: "text", Bytes: "text"}, {Value: []byte("\x00"), Bytes: "\x00"}},
		Refused: []codectest.Refusal{
			{Value: 7, Want: "cannot take a int as bytes: pass a []byte or a string"},
			{Value: json.RawMessage("7"), Want: "cannot take a json.RawMessage"},
			{Value: small{}, Want: "cannot take a codec_test.small"},
		},
		Broken: []codectest.Broken{
			{Bytes: "7", Target: new(int), Want: "cannot give bytes to a *int"},
			{Bytes: "7", Target: new(any), Want: "cannot give bytes to a *interface {}"},
			{Bytes: "7", Target: []byte("x"), Want: "pass a pointer"},
		},
	}.Run(t)
}

func TestBytesOfASliceAreNotCopied(t *testing.T) {
	b := []byte("large")
	got, err := codec.Bytes{}.Marshal(b)
	if err != nil || &got[0] != &b[0] {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestLimitsHaveDefaultsAndBounds(t *testing.T) {
	if got, err := (codec.Limits{}).Normalise(); err != nil || got != (codec.Limits{Depth: 100, Elements: 1 << 20}) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []codec.Limits{{Depth: 3}, {Depth: -1}, {Depth: 1 << 16}, {Elements: 15}, {Elements: -1}, {Elements: 1 << 31}} {
		if got, err := bad.Normalise(); err == nil || !strings.Contains(err.Error(), "must be") {
			t.Errorf("%+v: got %+v, %v", bad, got, err)
		}
	}
	if _, err := (codec.Limits{Depth: 4, Elements: 1<<31 - 1}).Normalise(); err != nil {
		t.Error(err)
	}
}
