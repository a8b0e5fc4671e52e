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
	}.Run(t)
}
