package json_test

import (
	"testing"

	"github.com/dserver/dserver/rpc/proto/json"
	"github.com/dserver/dserver/rpc/proto/prototest"
)

func BenchmarkFrame(b *testing.B) { prototest.Benchmark(b, json.New) }

func TestFramesCostFewAllocations(t *testing.T) { prototest.Allocations(t, json.New, 5, 18) }
