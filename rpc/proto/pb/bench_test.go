package pb_test

import (
	"testing"

	"github.com/dserver/dserver/rpc/proto/pb"
	"github.com/dserver/dserver/rpc/proto/prototest"
)

func BenchmarkFrame(b *testing.B) { prototest.Benchmark(b, pb.New) }

func TestFramesCostFewAllocations(t *testing.T) { prototest.Allocations(t, pb.New, 1, 1) }
