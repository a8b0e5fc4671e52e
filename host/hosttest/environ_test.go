package hosttest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/dserver/dserver/host/hosttest"
)

// What a handler starts must not see what was meant for the process it runs in.
func TestChildrenSeeACleanEnvironment(t *testing.T) {
	hosttest.EachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Env = []string{"LISTEN_FDS=0", "LISTEN_PID=1", "GF_SERVER_RELOAD=1", "DSERVER_LOG__LEVEL=debug", "WATCHDOG_USEC=1000000", "HARMLESS=yes"}
		in.Start()
		for i := range 3 {
			for _, sandbox := range []string{"web", "shop"} {
				checkEnvironment(t, sandbox, environment(t, in.Addr(sandbox, "tcp")))
			}
			in.MustReload(hosttest.Build{Label: fmt.Sprintf("build-%d", i)})
		}
	})
}

func checkEnvironment(t *testing.T, sandbox, environ string) {
	t.Helper()
	harmless := false
	for line := range strings.Lines(environ) {
		name, _, _ := strings.Cut(line, "=")
		harmless = harmless || name == "HARMLESS"
		for _, prefix := range []string{"TABLEFLIP_", "LISTEN_", "GF_SERVER_", "NOTIFY_SOCKET", "WATCHDOG_", "DSERVER_"} {
			if strings.HasPrefix(name, prefix) {
				t.Errorf("a child of %s sees %s", sandbox, strings.TrimSpace(line))
			}
		}
	}
	if !harmless {
		t.Errorf("a child of %s does not see what the master was started with: %s", sandbox, environ)
	}
}

// environment is what a child of a handler sees.
func environment(t *testing.T, address string) string {
	t.Helper()
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := fresh.Get("http://" + address + "/env")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", res.Status, text, err)
	}
	return string(text)
}
