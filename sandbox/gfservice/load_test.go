package gfservice_test

import (
	"testing"
	"time"

	"github.com/gogf/gf/v2/net/ghttp"

	"github.com/dserver/dserver/sandbox"
	"github.com/dserver/dserver/sandbox/gfservice"
	"github.com/dserver/dserver/sandbox/internal/httpload"
)

func routes(s *ghttp.Server) error {
	s.BindHandler("/", func(r *ghttp.Request) { r.Response.Write("hello") })
	s.BindHandler("POST:/echo", func(r *ghttp.Request) { r.Response.Write(r.GetBody()) })
	s.BindHandler("/sleep", func(r *ghttp.Request) {
		select {
		case <-time.After(r.Get("ms").Duration() * time.Millisecond):
		case <-r.Context().Done():
		}
	})
	return nil
}

func TestNoRequestIsLostBetweenGenerations(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			httpload.Generations(t, network, 30, func() sandbox.Service { return gfservice.New("web", routes) })
		})
	}
}
