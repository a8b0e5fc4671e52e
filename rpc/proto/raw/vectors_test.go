package raw_test

import (
	"encoding/hex"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/prototest"
	"github.com/dserver/dserver/rpc/proto/raw"
)

func TestVectors(t *testing.T) {
	prototest.Suite{List: "rawproto.json", Default: raw.New, Classic: raw.Options{Classic: true}.New}.Run(t)
}

func newProto(t testing.TB, o raw.Options, limits proto.Limits) *raw.Proto {
	return o.New(proto.Stream{Limits: limits, Filters: prototest.Filters(t)}).(*raw.Proto)
}

func encode(t testing.TB, o raw.Options, m *message.Message) []byte {
	t.Helper()
	return prototest.Encode(t, o.New, m)
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
