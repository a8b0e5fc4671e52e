package raw_test

import (
	"testing"

	"github.com/dserver/dserver/rpc/proto/prototest"
	"github.com/dserver/dserver/rpc/proto/raw"
)

// FuzzCutFrame: no input panics, and what was read is written and read again as
// the same message.
func FuzzCutFrame(f *testing.F) { prototest.Fuzz(f, "rawproto.json", raw.New) }
