package hosttest_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/dserver/dserver/host/hosttest"
	"github.com/dserver/dserver/rpc"
)

func TestInstanceServesItsBuild(t *testing.T) {
	hosttest.EachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Start()
		checkBuild(t, in, "first")
		in.MustReload(hosttest.Build{Label: "second"})
		checkBuild(t, in, "second")
		in.Stop()
		in.AssertGone()
	})
}

// Who was told that a reload is committed gets answers from the new build alone.
func TestNewBuildAnswersAfterTheReload(t *testing.T) {
	hosttest.EachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Start()
		addresses := make(map[string]string)
		for _, name := range []string{"web", "shop"} {
			addresses[name] = in.Addr(name, "tcp")
		}
		for i := range 10 {
			want := fmt.Sprintf("build-%d", i)
			in.MustReload(hosttest.Build{Label: want})
			for _, name := range []string{"web", "shop"} {
				if got := httpBuild(t, addresses[name]); got != want {
					t.Errorf("reload %d: %s answers with %s", i, name, got)
				}
			}
		}
	})
}

func checkBuild(t *testing.T, in *hosttest.Instance, want string) {
	t.Helper()
	e, err := rpc.New(rpc.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, network := range []string{"tcp", "unix"} {
		var got string
		if err := e.Client(network+"://"+in.Addr("math", network)).Call(t.Context(), "/math/build", nil, &got); err != nil || got != want {
			t.Errorf("build over rpc on %s: %q, %v; want %q", network, got, err, want)
		}
	}
	if got := httpBuild(t, in.Addr("web", "tcp")); got != want {
		t.Errorf("build over HTTP: %q, want %q", got, want)
	}
}

// httpBuild asks on a connection of its own which build answers.
func httpBuild(t *testing.T, address string) string {
	t.Helper()
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := fresh.Get("http://" + address + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	return res.Header.Get("X-Build")
}
