package ctl_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/internal/group"
)

// within bounds a test's waits; only a broken test comes near it.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func socketPath(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ctl") // t.TempDir grows too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "ctl.sock")
}

func listen(t testing.TB, path string) *net.UnixListener {
	t.Helper()
	ln, err := ctl.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// serve runs a server until the test ends and fails it if it ends otherwise.
func serve(t testing.TB, ln net.Listener, m ctl.Master, c ctl.Config) *ctl.Server {
	t.Helper()
	s := ctl.NewServer(m, c)
	g := group.New(context.Background(), nil)
	g.Go("serve", func(context.Context) {
		if err := s.Serve(ln); !errors.Is(err, ctl.ErrClosed) {
			t.Errorf("Serve returned %v", err)
		}
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		s.Shutdown(ctx) // gives net/http time to end its connections; what is left is cut
		g.Wait(context.Background())
	})
	return s
}

func start(t *testing.T) (*master, *ctl.Client) {
	t.Helper()
	m, path := newMaster(), socketPath(t)
	serve(t, listen(t, path), m, ctl.Config{})
	return m, ctl.New(path)
}

func TestClientSeesWhatTheMasterHas(t *testing.T) {
	m, c := start(t)
	ctx := within(t)
	if got, err := c.Info(ctx); err != nil || got.Name != "shop" || got.Pid != 4711 {
		t.Errorf("Info: %+v, %v", got, err)
	}
	if got, err := c.Sandboxes(ctx); err != nil || len(got) != 2 || got[1].Name != "web" {
		t.Errorf("Sandboxes: %+v, %v", got, err)
	}
	if got, err := c.Sandbox(ctx, "web"); err != nil || got.Name != "web" {
		t.Errorf("Sandbox: %+v, %v", got, err)
	}
	for _, usage := range []bool{false, true} {
		if got, err := c.Workers(ctx, usage); err != nil || len(got) != 1 || (got[0].Usage != nil) != usage {
			t.Errorf("Workers(%v): %+v, %v", usage, got, err)
		}
	}
	if got, err := c.Inspect(ctx); err != nil || got.Info.Pid != 4711 || len(got.Sandboxes) != 2 {
		t.Errorf("Inspect: %+v, %v", got, err)
	}
	if got, err := c.Reload(ctx, ctl.ReloadRequest{Names: []string{"math"}}); err != nil || got.Outcome != "committed" || len(got.Plan) != 1 {
		t.Errorf("Reload: %+v, %v", got, err)
	}
	if got, err := c.Stop(ctx, ctl.ActionRequest{Names: []string{"math"}}); err != nil || got.Results[0].State != "stopped" {
		t.Errorf("Stop: %+v, %v", got, err)
	}
	if got := m.Sandboxes(ctx); got[0].State != "stopped" || got[1].State != "serving" {
		t.Errorf("stop of one touched others: %+v", got)
	}
	if got, err := c.Start(ctx, ctl.ActionRequest{Names: []string{"math"}}); err != nil || got.Results[0].State != "serving" {
		t.Errorf("Start: %+v, %v", got, err)
	}
	if got, err := c.Stop(ctx, ctl.ActionRequest{Drain: true}); err != nil || len(got.Cut) != 1 || m.stopped != 1 {
		t.Errorf("Stop of all: %+v, %v", got, err)
	}
	if _, err := c.LogLevel(ctx, ctl.ActionRequest{Names: []string{"math"}, Level: "debug"}); err != nil {
		t.Errorf("LogLevel: %v", err)
	}
}

func TestErrorsSurviveTheWire(t *testing.T) {
	_, c := start(t)
	ctx := within(t)
	act := func(f func(context.Context, ctl.ActionRequest) (ctl.ActionResult, error), r ctl.ActionRequest) error {
		_, err := f(ctx, r)
		return err
	}
	_, noSandbox := c.Sandbox(ctx, "wbe")
	for _, tt := range []struct {
		name string
		err  error
		kind error
		text string
		hint string
	}{
		{"refused", act(c.Restart, ctl.ActionRequest{Names: []string{"stuck"}}), ctl.ErrRefused,
			"cannot restart stuck: its Serve has not returned", "reload the process"},
		{"wrapped sentinel", act(c.Stop, ctl.ActionRequest{Names: []string{"x"}}), ctl.ErrNotFound,
			`cannot act on "x": not found`, ""},
		{"no such sandbox", noSandbox, ctl.ErrNotFound,
			`cannot show sandbox "wbe": there is no such sandbox`, "sandboxes: math, web"},
		{"no names", act(c.Restart, ctl.ActionRequest{}), ctl.ErrInvalid,
			"cannot do that to nothing: names must hold at least one name and no empty one", ""},
		{"bad level", act(c.LogLevel, ctl.ActionRequest{Names: []string{"web"}, Level: "loud"}), ctl.ErrInvalid,
			`cannot set the log level to "loud": it must be one of debug, info, warn, error`, ""},
		{"panic", act(c.Restart, ctl.ActionRequest{Names: []string{"broken"}}), nil,
			"cannot answer /v1/restart: internal error, see the log", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, ok := errors.AsType[*ctl.Problem](tt.err)
			if !ok {
				t.Fatalf("got %v, not a Problem", tt.err)
			}
			if tt.kind != nil && !errors.Is(tt.err, tt.kind) {
				t.Errorf("%v is not %v", tt.err, tt.kind)
			}
			if p.Text != tt.text || p.Hint != tt.hint {
				t.Errorf("got %q, hint %q", p.Text, p.Hint)
			}
		})
	}
}

func TestADrainedSocketCanBeServedAgain(t *testing.T) {
	m, path := newMaster(), socketPath(t)
	ln := listen(t, path)
	for range 3 {
		s := serve(t, ln, m, ctl.Config{})
		if _, err := ctl.New(path).Info(within(t)); err != nil {
			t.Error(err)
		}
		if err := s.Shutdown(within(t)); err != nil {
			t.Error(err)
		}
	}
}
