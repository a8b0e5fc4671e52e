package json_test

import (
	"testing"

	"github.com/dserver/dserver/rpc/proto/json"
	"github.com/dserver/dserver/rpc/proto/prototest"
)

func TestVectors(t *testing.T) {
	prototest.Suite{
		List: "jsonproto.json", Default: json.New, Classic: json.Options{Classic: true}.New,
		Recovered: []string{"reply_error_ctrl_char", "push_bytes_binary"},
	}.Run(t)
}
