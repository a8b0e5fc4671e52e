package redis_test

import (
	"testing"

	"github.com/dserver/dserver/rpc/proto/prototest"
	"github.com/dserver/dserver/rpc/proto/redis"
)

func BenchmarkExchange(b *testing.B) {
	get := prototest.Exchange{Method: "/redis/get", Codec: 'r', Call: []byte(`["a2V5"]`), Reply: []byte("$5\r\nvalue\r\n")}
	get.Benchmark(b, redis.New)
}
