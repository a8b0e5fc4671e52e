package main

import (
	"net/http"
	"os"
	"time"

	"github.com/gogf/gf/v2/net/ghttp"
)

// shop has the routes of web, as a user of goframe writes them.
func shop(s *ghttp.Server) error {
	s.Use(func(r *ghttp.Request) {
		r.Response.Header().Set(buildHeader, stamped("build"))
		r.Middleware.Next()
	})
	s.BindHandler("GET:/", func(r *ghttp.Request) { r.Response.Writef("hello from %d", os.Getpid()) })
	s.BindHandler("GET:/sleep", func(r *ghttp.Request) {
		ms := r.Get("ms").Int()
		select {
		case <-time.After(time.Duration(ms) * time.Millisecond):
			r.Response.Writef("slept %d", ms)
		case <-r.Context().Done():
		}
	})
	s.BindHandler("POST:/echo", func(r *ghttp.Request) { r.Response.Write(r.GetBody()) })
	s.BindHandler("GET:/env", func(r *ghttp.Request) {
		out, err := environment(r.Context())
		if err != nil {
			r.Response.WriteStatus(http.StatusInternalServerError, err.Error())
			return
		}
		r.Response.Write(out)
	})
	s.BindHandler("GET:/panic", func(*ghttp.Request) { panic("as asked for") })
	return nil
}
