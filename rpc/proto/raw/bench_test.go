package raw_test

import (
	"testing"

	"github.com/dserver/dserver/rpc/proto/prototest"
	"github.com/dserver/dserver/rpc/proto/raw"
)

func BenchmarkFrame(b *testing.B) { prototest.Benchmark(b, raw.New) }

func TestFramesCostFewAllocations(t *testing.T) { prototest.Allocations(t, raw.New, 0, 0) }
