package filter_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/dserver/dserver/rpc/filter"
	"github.com/dserver/dserver/rpc/filter/aes"
	"github.com/dserver/dserver/rpc/filter/aesgcm"
	"github.com/dserver/dserver/rpc/filter/gzip"
	"github.com/dserver/dserver/rpc/filter/md5"
	"github.com/dserver/dserver/rpc/filter/snappy"
	"github.com/dserver/dserver/rpc/filter/zstd"
)

// must is for filters whose settings are right.
func must[F filter.Filter](b *testing.B, f F, err error) filter.Filter {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	return f
}

// message is a list of records as JSON, about 60 KiB.
func message(b *testing.B) []byte {
	b.Helper()
	source := rand.New(rand.NewPCG(1, 2))
	type record struct {
		ID    int      `json:"id"`
		Name  string   `json:"name"`
		Price float64  `json:"price"`
		Tags  []string `json:"tags"`
	}
	words := []string{"tea", "pot", "cup", "spoon", "kettle", "saucer", "milk", "sugar"}
	var list []record
	for id := range 700 {
		word := func() string { return words[source.IntN(len(words))] }
		list = append(list, record{id, word() + " " + word(), source.Float64(), []string{word(), word()}})
	}
	text, err := json.Marshal(list)
	if err != nil {
		b.Fatal(err)
	}
	return text
}

func filters(b *testing.B) []filter.Filter {
	key := []byte("0123456789abcdef")
	zip, errZip := gzip.New(gzip.Default)
	std, errStd := zstd.New(zstd.Default)
	cbc, errCBC := aes.New(key)
	gcm, errGCM := aesgcm.New(aesgcm.Key{ID: 1, Secret: key})
	return []filter.Filter{
		must(b, zip, errZip), must(b, std, errStd), snappy.Filter{}, md5.Filter{}, must(b, cbc, errCBC), must(b, gcm, errGCM),
	}
}

func BenchmarkPack(b *testing.B) {
	src := message(b)
	for _, f := range filters(b) {
		b.Run(f.Name(), func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				out, _ = f.AppendPack(out[:0], src)
			}
			b.ReportMetric(100*float64(len(out))/float64(len(src)), "%size")
		})
	}
}

func BenchmarkUnpack(b *testing.B) {
	src := message(b)
	for _, f := range filters(b) {
		b.Run(f.Name(), func(b *testing.B) {
			packed, err := f.AppendPack(nil, src)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				out, _ = f.AppendUnpack(out[:0], packed, 16<<20)
			}
			if len(out) != len(src) {
				b.Fatalf("got %d bytes", len(out))
			}
		})
	}
}
