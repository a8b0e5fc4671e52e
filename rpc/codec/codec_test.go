package codec_test

import (
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/codec"
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
