package ws_test

import (
	"testing"

	"github.com/dserver/dserver/rpc/proto/prototest"
	"github.com/dserver/dserver/rpc/proto/ws"
)

func BenchmarkFrame(b *testing.B) {
	b.Run("json", func(b *testing.B) { prototest.Benchmark(b, ws.JSON) })
	b.Run("pb", func(b *testing.B) { prototest.Benchmark(b, ws.PB) })
}

func TestFramesCostFewAllocations(t *testing.T) {
	t.Run("json", func(t *testing.T) { prototest.Allocations(t, ws.JSON, 3, 19) })
	t.Run("pb", func(t *testing.T) { prototest.Allocations(t, ws.PB, 1, 1) })
}
