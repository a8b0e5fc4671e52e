package http_test

import (
	"testing"

	"github.com/dserver/dserver/rpc/proto/http"
	"github.com/dserver/dserver/rpc/proto/prototest"
)

func BenchmarkExchange(b *testing.B) {
	for _, size := range []int{64, 581} {
		prototest.Echo(size).Benchmark(b, http.New)
	}
}
