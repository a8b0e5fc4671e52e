package hosttest_test

import (
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
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := fresh.Get("http://" + in.Addr("web", "tcp") + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if got := res.Header.Get("X-Build"); got != want || err != nil {
		t.Errorf("build over HTTP: %q, %q, %v; want %q", got, body, err, want)
	}
}
