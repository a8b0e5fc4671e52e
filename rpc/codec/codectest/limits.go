package codectest

import (
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/codec"
)

// Limits checks that a codec keeps those that it is made with: each of the bodies is
// refused with an error that has the text beside it, or read, if there is none. Limits
// that make no sense make no codec.
func Limits[C codec.Codec](t *testing.T, newCodec func(codec.Limits) (C, error), l codec.Limits, bodies map[string]string) {
	t.Helper()
	c, err := newCodec(l)
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range bodies {
		err := c.Unmarshal([]byte(body), new(any))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", body, err, want)
		}
	}
	if _, err := newCodec(codec.Limits{Depth: 1}); err == nil {
		t.Error("made a codec of a wrong depth")
	}
}
