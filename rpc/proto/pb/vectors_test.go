package pb_test

import (
	"testing"

	"github.com/dserver/dserver/rpc/proto/pb"
	"github.com/dserver/dserver/rpc/proto/prototest"
)

func TestVectors(t *testing.T) {
	prototest.Suite{
		List: "pbproto.json", Default: pb.New, Classic: pb.Options{Classic: true}.New,
		Recovered: []string{"reply_error_ctrl_char"},
	}.Run(t)
}
