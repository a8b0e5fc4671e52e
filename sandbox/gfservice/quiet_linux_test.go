package gfservice_test

import (
	"io"
	"log/slog"
	"os"
	"testing"

	"github.com/gogf/gf/v2/net/ghttp"
	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/sandbox/gfservice"
	"github.com/dserver/dserver/sandbox/sandboxtest"
)

// said runs f and returns what came out of descriptor 1 meanwhile: goframe keeps
// its own way to it, so exchanging os.Stdout would show nothing.
func said(t *testing.T, f func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	saved, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Dup3(int(w.Fd()), 1, 0); err != nil {
		t.Fatal(err)
	}
	f()
	if err := unix.Dup3(saved, 1, 0); err != nil {
		t.Fatal(err)
	}
	_, _ = unix.Close(saved), w.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestNothingIsSaidUnlessAsked(t *testing.T) {
	for name, setup := range map[string]func(*ghttp.Server) error{
		"": routes,
		"dump": func(s *ghttp.Server) error {
			s.SetDumpRouterMap(true)
			return routes(s)
		},
	} {
		var log lines
		out := said(t, func() {
			b, err := sandboxtest.Start(t.Context(), gfservice.New("web", setup), sandboxtest.Options{Logger: log.logger(slog.LevelInfo)})
			if err != nil {
				t.Error(err)
				return
			}
			get(t, b, "/")
			if err := b.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
		if out != "" || (log.String() != "") != (name == "dump") {
			t.Errorf("%q: stdout %q, log %q", name, out, log.String())
		}
	}
}
