package http_test

import (
	"testing"

	"github.com/dserver/dserver/rpc/proto/http"
	"github.com/dserver/dserver/rpc/proto/prototest"
)

func TestVectors(t *testing.T) {
	prototest.Suite{
		List: "httpproto.json", Default: http.New, Classic: http.Options{Classic: true}.New,
		Recovered: []string{"auth_reply_ok"},
		Slack:     16 << 10, // a long line is in pieces and then in one, which is rounded up
	}.Run(t)
}
