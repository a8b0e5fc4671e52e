package ctl

import (
	"net/http"
	"strings"
)

// route is one line of the API. A path that ends in a slash takes one name more.
type route struct {
	method string
	path   string
	access Access
	serve  func(*call) error
}

func routes() []route {
	return []route{
		{http.MethodGet, "/v1/info", View, (*call).info},
		{http.MethodGet, "/v1/sandboxes", View, (*call).sandboxes},
		{http.MethodGet, "/v1/sandboxes/", View, (*call).sandbox},
		{http.MethodGet, "/v1/workers", View, (*call).workers},
		{http.MethodGet, "/v1/programs", View, (*call).programs},
		{http.MethodGet, "/v1/programs/", View, (*call).program},
		{http.MethodGet, "/v1/inspect", View, (*call).inspect},
		{http.MethodGet, "/v1/events", View, (*call).events},
		{http.MethodGet, "/v1/logs", View, (*call).logs},
		{http.MethodPost, "/v1/reload", Operate, (*call).reload},
		{http.MethodPost, "/v1/start", Operate, (*call).start},
		{http.MethodPost, "/v1/stop", Operate, (*call).stop},
		{http.MethodPost, "/v1/restart", Operate, (*call).restart},
		{http.MethodPost, "/v1/reset", Operate, (*call).reset},
		{http.MethodPost, "/v1/signal", Operate, (*call).signal},
		{http.MethodPost, "/v1/scale", Operate, (*call).scale},
		{http.MethodPost, "/v1/loglevel", Operate, (*call).logLevel},
		{http.MethodPost, "/v1/upgrade", Operate, (*call).upgrade},
	}
}

// find gives the route for a request and the name in its path, or the methods
// that the path does take.
func find(method, path string) (found *route, name string, allowed []string) {
	for _, r := range routes() {
		rest, ok := strings.CutPrefix(path, r.path)
		named := strings.HasSuffix(r.path, "/")
		if !ok || named != (rest != "") || strings.Contains(rest, "/") {
			continue
		}
		if r.method == method {
			return &r, rest, nil
		}
		allowed = append(allowed, r.method)
	}
	return nil, "", allowed
}
