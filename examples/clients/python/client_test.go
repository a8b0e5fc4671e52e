package python_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/status"
)

// mostLines is what client.py has fewer than: the point is how little it takes.
const mostLines = 150

func TestClientIsShort(t *testing.T) {
	text, err := os.ReadFile("client.py")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte("\n")); n >= mostLines {
		t.Errorf("client.py has %d lines, it promises fewer than %d", n, mostLines)
	}
}

// script runs a program of testdata with the client at hand; it has a minute.
func script(t *testing.T, name, address string) (output func() string) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3 here")
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	cmd := exec.CommandContext(ctx, python, filepath.Join("testdata", name), host, port)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+here, "PYTHONDONTWRITEBYTECODE=1", "PYTHONIOENCODING=utf-8")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	t.Cleanup(cancel)
	return func() string {
		t.Helper()
		if err := <-done; err != nil {
			t.Errorf("%s: %v\n%s", name, err, &out)
		}
		return out.String()
	}
}

// server is an endpoint with the routes that the scripts use.
type server struct {
	*rpc.Endpoint
	address string
	entered chan rpc.Context // by /gate
	open    chan struct{}
	waited  chan error // what /wait was told
}

// serve starts one at an address, which may be one that another has just left.
func serve(t *testing.T, name, address string) *server {
	t.Helper()
	e, err := rpc.New(rpc.Config{Name: name, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Endpoint: e, entered: make(chan rpc.Context, 1), open: make(chan struct{}), waited: make(chan error, 1)}
	s.register(t, name)
	ln, err := e.Listen(t.Context(), "tcp://"+address)
	if err != nil {
		t.Fatal(err)
	}
	s.address = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- e.Serve(ln) }()
	t.Cleanup(func() {
		e.Close()
		if err := <-served; !errors.Is(err, rpc.ErrClosed) {
			t.Error(err)
		}
	})
	return s
}

func (s *server) register(t *testing.T, name string) {
	t.Helper()
	failure, err := status.New(1001, "why: \"because\"\n").WithDetails(map[string]int{"id": 7})
	err = errors.Join(err,
		rpc.Handle(s.Endpoint, "/math/add", func(_ rpc.Context, nums []int) (sum int, err error) {
			for _, n := range nums {
				sum += n
			}
			return sum, nil
		}),
		rpc.Handle(s.Endpoint, "/echo", func(_ rpc.Context, v any) (any, error) { return v, nil }),
		rpc.Handle(s.Endpoint, "/fail", func(rpc.Context, any) (any, error) { return nil, failure }),
		rpc.Handle(s.Endpoint, "/who", func(rpc.Context, any) (string, error) { return name, nil }),
		rpc.Handle(s.Endpoint, "/meta", func(ctx rpc.Context, _ any) (any, error) {
			ctx.SetMeta("got", "<"+ctx.Meta("name")+">")
			return nil, nil
		}),
		rpc.Handle(s.Endpoint, "/wait", func(ctx rpc.Context, _ any) (any, error) {
			<-ctx.Done()
			s.waited <- ctx.Err()
			return nil, ctx.Err()
		}),
		rpc.Handle(s.Endpoint, "/gate", func(ctx rpc.Context, _ any) (string, error) {
			s.entered <- ctx
			<-s.open
			return name, nil
		}),
		rpc.HandlePush(s.Endpoint, "/echo", func(ctx rpc.Context, v any) error {
			return ctx.Session().Push(context.WithoutCancel(ctx), "/echoed", []any{v, ctx.Meta("a")})
		}),
	)
	if err != nil {
		t.Fatal(err)
	}
}

func within[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(30 * time.Second):
		t.Fatalf("not in 30 s: %s", what)
	}
	return v
}

// TestClientIsUsed runs a program that uses all of the client while the server is
// replaced by another one.
func TestClientIsUsed(t *testing.T) {
	old := serve(t, "old", "127.0.0.1:0")
	output := script(t, "use.py", old.address)
	if err := within(t, "/wait ends", old.waited); err == nil {
		t.Error("the handler of a call that nobody waits for was told nothing")
	}
	gate := within(t, "/gate is entered", old.entered)

	old.Drain()
	fresh := serve(t, "new", old.address)
	if err := rpc.Handle(fresh.Endpoint, "/open", func(rpc.Context, any) (any, error) { close(old.open); return nil, nil }); err != nil {
		t.Fatal(err)
	}
	if err := gate.Session().Push(t.Context(), "/told", nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := old.Shutdown(ctx); err != nil {
		t.Errorf("the client has not left its old server: %v", err)
	}
	checkOutput(t, "use.txt", output())
}

func checkOutput(t *testing.T, name, got string) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("it printed\n%s\nwant\n%s", got, want)
	}
}
