package filter_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/filter"
	"github.com/dserver/dserver/rpc/filter/aes"
	"github.com/dserver/dserver/rpc/filter/aesgcm"
	"github.com/dserver/dserver/rpc/filter/gzip"
	"github.com/dserver/dserver/rpc/filter/md5"
	"github.com/dserver/dserver/rpc/filter/snappy"
	"github.com/dserver/dserver/rpc/filter/zstd"
)

// mark is a filter that puts its id before the bytes.
type mark struct {
	id   byte
	name string
}

func (m mark) ID() byte     { return m.id }
func (m mark) Name() string { return m.name }

func (m mark) AppendPack(dst, src []byte) ([]byte, error) {
	return append(append(dst, m.id), src...), nil
}

func (m mark) AppendUnpack(dst, src []byte, _ int) ([]byte, error) {
	if len(src) == 0 || src[0] != m.id {
		return dst, errors.New("another mark")
	}
	return append(dst, src[1:]...), nil
}

func registry(t testing.TB) *filter.Registry {
	t.Helper()
	z, err := gzip.New(gzip.Default)
	if err != nil {
		t.Fatal(err)
	}
	a, err := aes.New([]byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := zstd.New(zstd.Default)
	if err != nil {
		t.Fatal(err)
	}
	g, err := aesgcm.New(aesgcm.Key{ID: 1, Secret: []byte("0123456789abcdef")})
	if err != nil {
		t.Fatal(err)
	}
	r, err := filter.NewRegistry(md5.Filter{}, z, a, c, g, snappy.Filter{}, mark{'A', "first"}, mark{'B', "second"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestOrder: the last filter is applied first, so the first is the outermost.
func TestOrder(t *testing.T) {
	r := registry(t)
	out, err := r.AppendPack([]byte("head:"), []byte("x"), []byte("AB"))
	if err != nil || string(out) != "head:ABx" {
		t.Fatalf("got %q, %v", out, err)
	}
	back, err := r.Unpack(out[5:], []byte("AB"), 0)
	if err != nil || string(back) != "x" {
		t.Errorf("got %q, %v", back, err)
	}
	if back, err := r.Unpack(out[5:], []byte("BA"), 0); err == nil {
		t.Errorf("in the wrong order: %q", back)
	}
}

func TestEveryPipeIsUndone(t *testing.T) {
	r := registry(t)
	for _, src := range []string{"", "a", strings.Repeat("0123456789", 1000)} {
		for _, ids := range []string{"", "5", "z", "a", "5z", "z5", "za5", "55", "aazz", "Z", "S", "g", "5S", "gZ", "gg", "ZZ"} {
			packed, err := r.AppendPack(nil, []byte(src), []byte(ids))
			if err != nil {
				t.Fatalf("%q of %d bytes: %v", ids, len(src), err)
			}
			back, err := r.Unpack(packed, []byte(ids), 0)
			if err != nil || string(back) != src {
				t.Errorf("%q of %d bytes: got %d bytes, %v", ids, len(src), len(back), err)
			}
		}
	}
}

func TestErrorsLeaveWhatWasThere(t *testing.T) {
	r := registry(t)
	out, err := r.AppendPack([]byte("head"), []byte("x"), []byte("5?"))
	if err == nil || err.Error() != "filter '?' is not registered" || string(out) != "head" {
		t.Errorf("got %q, %v", out, err)
	}
	for ids, want := range map[string]string{"?": "'?' is not registered", "5": "filter md5: ", "z": "filter gzip: ", "a": "filter aes: ", "Z": "filter zstd: ", "S": "filter snappy: ", "g": "filter aesgcm: "} {
		if out, err := r.Unpack([]byte("no such bytes"), []byte(ids), 0); err == nil || out != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %q, %v", ids, out, err)
		}
	}
	var none *filter.Registry
	if _, err := none.AppendPack(nil, nil, []byte("z")); err == nil {
		t.Error("no registry has a filter")
	}
	if out, err := none.Unpack([]byte("x"), nil, 1); err != nil || string(out) != "x" {
		t.Errorf("got %q, %v", out, err)
	}
	if _, ok := none.Named("gzip"); ok {
		t.Error("no registry has a name")
	}
}

// TestF9EveryStepIsBounded: a few bytes become no more than the limit, whichever
// filter makes them more, and however many there are.
func TestF9EveryStepIsBounded(t *testing.T) {
	r := registry(t)
	const limit = 1 << 20
	exact := make([]byte, limit)
	for _, ids := range []string{"z", "5z", "az", "zz", "Z", "5Z", "gZ", "Zz", "S", "gS"} {
		packed, err := r.AppendPack(nil, exact, []byte(ids))
		if err != nil {
			t.Fatal(err)
		}
		if back, err := r.Unpack(packed, []byte(ids), limit); err != nil || !bytes.Equal(back, exact) {
			t.Errorf("%s of exactly the limit: %d bytes, %v", ids, len(back), err)
		}
		if _, err := r.Unpack(packed, []byte(ids), limit-1); !errors.Is(err, filter.ErrTooLarge) {
			t.Errorf("%s of one byte more: %v", ids, err)
		}
	}
	ids := bytes.Repeat([]byte("5"), 255)
	packed, err := r.AppendPack(nil, exact, ids)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Unpack(packed, ids, 2*limit); !errors.Is(err, filter.ErrTooLarge) {
		t.Errorf("255 steps: %v", err)
	}
	if back, err := r.Unpack(packed, ids, 0); err != nil || !bytes.Equal(back, exact) {
		t.Errorf("255 steps without a limit: %v", err)
	}
}

func TestRegistryRefusesWhatIsAmbiguous(t *testing.T) {
	for _, test := range []struct {
		filters []filter.Filter
		want    string
	}{
		{[]filter.Filter{nil}, "needs a name"},
		{[]filter.Filter{mark{'A', ""}}, "needs a name"},
		{[]filter.Filter{mark{'A', "a"}, mark{'A', "b"}}, `id 'A' is taken by "a"`},
		{[]filter.Filter{mark{'A', "a"}, mark{'B', "a"}}, `"a" twice`},
	} {
		if _, err := filter.NewRegistry(test.filters...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
	r := registry(t)
	f, ok := r.Named("gzip")
	if !ok || f.ID() != filter.IDGzip {
		t.Errorf("got %v", f)
	}
	if f, ok := r.Lookup('a'); !ok || f.Name() != "aes" {
		t.Errorf("got %v", f)
	}
}

// FuzzUnpack: no input panics or yields more than the limit, and what was packed
// comes back.
func FuzzUnpack(f *testing.F) {
	r := registry(f)
	for _, ids := range []string{"5", "z", "a", "5z", "zz", "Z", "S", "g", "gZ"} {
		packed, err := r.AppendPack(nil, []byte(`{"a":"b"}`), []byte(ids))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed, []byte(ids))
	}
	const limit = 1 << 16
	f.Fuzz(func(t *testing.T, in, ids []byte) {
		ids = ids[:min(len(ids), 8)]
		if out, err := r.Unpack(in, ids, limit); err == nil && len(ids) > 0 && len(out) > limit {
			t.Fatalf("%d bytes", len(out))
		}
		packed, err := r.AppendPack(nil, in, ids)
		if err != nil {
			return
		}
		if back, err := r.Unpack(packed, ids, 0); err != nil || !bytes.Equal(back, in) {
			t.Fatalf("got %x, %v, want %x", back, err, in)
		}
	})
}
