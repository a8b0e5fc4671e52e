package cli_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/host/cli"
	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/internal/loopback"
	"github.com/dserver/dserver/rpc"
)

// endpoint serves a few methods until the test ends.
func endpoint(t *testing.T) (address string, pushed <-chan string) {
	t.Helper()
	e, err := rpc.New(rpc.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	notes := make(chan string, 1)
	err = errors.Join(
		rpc.Handle(e, "/math/add", func(_ rpc.Context, nums []int) (int, error) {
			sum := 0
			for _, n := range nums {
				sum += n
			}
			return sum, nil
		}),
		rpc.Handle(e, "/echo", func(_ rpc.Context, v map[string]any) (map[string]any, error) { return v, nil }),
		rpc.Handle(e, "/wait", func(ctx rpc.Context, _ struct{}) (int, error) { <-ctx.Done(); return 0, ctx.Err() }),
		rpc.HandlePush(e, "/note", func(_ rpc.Context, text string) error { notes <- text; return nil }),
	)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := e.Listen(within(t), "tcp://127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := group.New(context.Background(), nil)
	g.Go("serve", func(context.Context) { e.Serve(ln) })
	t.Cleanup(func() {
		e.Close()
		g.Wait(context.Background())
	})
	return "tcp://" + ln.Addr().String(), notes
}

func TestCall(t *testing.T) {
	address, pushed := endpoint(t)
	nobody := "tcp://" + loopback.Free(t)
	for _, tt := range []struct {
		name string
		args []string
		in   string
		out  string
		err  string // a part of it
		code int
	}{
		{"reply", []string{address, "/math/add", "[1,2,3]"}, "", "6\n", "", 0},
		{"object", []string{address, "/echo", `{"a":[1]}`}, "", "{\n  \"a\": [\n    1\n  ]\n}\n", "", 0},
		{"standard input", []string{address, "/math/add", "-"}, " [4,5]\n", "9\n", "", 0},
		{"no body", []string{address, "/math/add"}, "", "0\n", "", 0},
		{"push", []string{address, "/note", `"hello"`, "--push"}, "", "", "", 0},
		{"no route", []string{address, "/math/sub", "[]"}, "", "", "cannot call /math/sub on " + address + ": 404 Not Found", 1},
		{"wrong type", []string{address, "/math/add", `"x"`}, "", "", "400 ", 1},
		{"too slow", []string{address, "/wait", "--timeout", "50ms"}, "", "", "timed out: no reply in time", 4},
		{"nobody there", []string{nobody, "/math/add"}, "", "", "connection refused", 1},
		{"no socket", []string{"unix:///nowhere/x.sock", "/math/add"}, "", "", "no such file", 1},
		{"unknown transport", []string{"ftp://x", "/math/add"}, "", "", "ftp", 1},
		{"not an address", []string{"math", "/math/add"}, "", "", `"math" is not an address`, 2},
		{"not JSON", []string{address, "/math/add", "[1,"}, "", "", "the body is not JSON: [1,", 2},
		{"not JSON from outside", []string{address, "/math/add", "-"}, "[1,", "", "it is not JSON", 1},
		{"no method", []string{address}, "", "", "it takes an address, a method", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs buffer
			code := cli.Main(within(t), append([]string{"call"}, tt.args...),
				cli.Streams{In: strings.NewReader(tt.in), Out: &out, Err: &errs}, shop, newHost(t))
			if code != tt.code || out.String() != tt.out || !strings.Contains(errs.String(), tt.err) || (tt.err == "" && errs.String() != "") {
				t.Errorf("exit %d, out %q, err %q", code, &out, &errs)
			}
			if tt.name != "push" {
				return
			}
			select {
			case text := <-pushed:
				if text != "hello" {
					t.Errorf("pushed %q", text)
				}
			case <-time.After(10 * time.Second):
				t.Error("the push never came")
			}
		})
	}
}

func TestCallRefusesTooMuchInput(t *testing.T) {
	f, err := os.Open("/dev/zero")
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	var out buffer
	code := cli.Main(within(t), []string{"call", "tcp://127.0.0.1:1", "/x", "-"}, cli.Streams{In: f, Out: &out, Err: &out}, shop, newHost(t))
	if want := fmt.Sprintf("cannot send more than %d bytes", 16<<20); code != 1 || !strings.Contains(out.String(), want) {
		t.Errorf("exit %d: %s", code, &out)
	}
}
