package cli_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestAnOlderMasterHasNoPrograms asks one that was built before there were any.
func TestAnOlderMasterHasNoPrograms(t *testing.T) {
	h, ctx := newHost(t), within(t)
	at := h.at("shop")
	ln, err := net.Listen("unix", at.Socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/info":
			w.Write([]byte(`{"name":"shop","state":"running"}`))
		case "/v1/sandboxes":
			w.Write([]byte(`[{"name":"math","state":"serving"}]`))
		case "/v1/sandboxes/redis":
			w.WriteHeader(http.StatusNotFound)
			w.Write([]byte(`{"error":"cannot show sandbox \"redis\": there is no such sandbox","code":"not_found"}`))
		default:
			w.WriteHeader(http.StatusNotFound)
			w.Write([]byte(`{"error":"this master has no such route","code":"no_route"}`))
		}
	})}
	h.groups.Go("old master", func(context.Context) {
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	defer server.Close()
	if err := os.Chmod(at.Socket, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		line string
		code int
		want string
	}{
		{"status", 0, "math     serving"},
		{"status redis", 1, `there is no sandbox and no program "redis"`},
		{"signal redis HUP", 1, "cannot signal redis: the running master was built before this command and does not know it"},
		{"scale redis=2", 1, "does not know it"},
		{"scale redis=2 math=1", 1, "does not know it"},
		{"reset redis", 1, "does not know it"},
		{"upgrade --binary /bin/sh", 1, "does not know it"},
	} {
		a := h.main(ctx, append([]string{"--name", "shop"}, strings.Fields(tt.line)...)...)
		if a.code != tt.code || !strings.Contains(a.out+a.err, tt.want) {
			t.Errorf("%s: %+v", tt.line, a)
		}
	}
}
