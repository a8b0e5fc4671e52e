package jsonrpc_test

import (
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto/jsonrpc"
	"github.com/dserver/dserver/rpc/proto/prototest"
)

func TestVectors(t *testing.T) {
	prototest.Suite{
		List: "jsonrpcproto.json", Default: jsonrpc.New, Classic: jsonrpc.Options{Classic: true}.New,
		Recovered: []string{"heartbeat_call", "heartbeat_reply"},
		Carried: func(m *message.Message) {
			m.Filters = nil
			if m.Status != nil {
				m.Status.Cause = ""
			}
		},
	}.Run(t)
}
