package cli_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/dserver/dserver/ctl"
)

func TestHowAnUpgradeEnds(t *testing.T) {
	for _, tt := range []struct {
		outcome, args string
		code          int
		out, err      string // a part of it; nothing means nothing
	}{
		{"committed", "", 0, "shop is upgraded: build fedcba987654, pid 100, away for 7.4ms\n", ""},
		{"committed", "--output json", 0, `"gap_ns": 7400000`, ""},
		{"rolled_back", "", 1, "", "error: cannot upgrade shop: rolled back: the new build ended with exit status 2\n  | panic: no state\n"},
		{"rolled_back", "--output json", 1, `"outcome": "rolled_back"`, "error: cannot upgrade shop: rolled back"},
		{"refused", "", 1, "", "error: cannot upgrade shop: this master cannot be upgraded in place yet\n"},
		{"forgotten", "", 1, "", "error: cannot upgrade shop: its outcome is not known: the connection ended before the answer: " +
			"the master that answers now does not know of the upgrade\nhint: which build runs says \"shop status\"\n"},
		{"slow", "--timeout 50ms", 4, "", "error: cannot wait for the upgrade of shop: timed out\nhint: the upgrade goes on: see \"shop status\"\n"},
	} {
		t.Run(strings.TrimSpace(tt.outcome+" "+tt.args), func(t *testing.T) {
			h := newHost(t)
			in := h.run("shop")
			in.master.outcome = tt.outcome
			a := h.main(within(t), append([]string{"upgrade"}, strings.Fields(tt.args)...)...)
			if a.code != tt.code || !strings.Contains(a.out, tt.out) || !strings.Contains(a.err, tt.err) || (tt.err == "") != (a.err == "") || (tt.out == "") != (a.out == "") {
				t.Errorf("exit %d\n%s%s", a.code, a.out, a.err)
			}
		})
	}
}

func TestAnUpgradeTakesTheBuildThatAReloadWould(t *testing.T) {
	for _, tt := range []struct {
		name, path string // that the master was started from
		args       []string
		want       string
	}{
		{"what lies there now", "/bin/sh", nil, ""},
		{"this command", "/tmp/go-build1234/b001/exe/shop", nil, "/usr/bin/shop"},
		{"the chosen one", "/bin/sh", []string{"--binary", "/bin/../bin/sh"}, "/bin/sh"},
	} {
		h := newHost(t)
		in := h.run("shop")
		in.master.build.Path = tt.path
		if a := h.main(within(t), append([]string{"upgrade"}, tt.args...)...); a.code != 0 {
			t.Errorf("%s: %+v", tt.name, a)
		}
		if got := in.master.upgrades; len(got) != 1 || got[0].Binary != tt.want || got[0].ID == 0 {
			t.Errorf("%s: asked for %+v, want %q", tt.name, got, tt.want)
		}
	}
}

// TestAMasterThatDiesInAnUpgradeIsNotCalledStopped: the process goes at the very
// moment at which it should become the new build.
func TestAMasterThatDiesInAnUpgradeIsNotCalledStopped(t *testing.T) {
	h, ctx := newHost(t), within(t)
	at := h.at("shop")
	ln, err := ctl.Listen(at.Socket)
	if err != nil {
		t.Fatal(err)
	}
	h.groups.Go("master", func(context.Context) {
		defer ln.Close()
		for {
			conn, err := ln.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			asked, err := http.ReadRequest(bufio.NewReader(conn))
			if err == nil && asked.URL.Path == "/v1/info" {
				const info = `{"name":"shop","build":{"path":"/bin/sh"}}`
				fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(info), info)
			}
			conn.Close()
			if err != nil || asked.URL.Path == "/v1/upgrade" {
				return
			}
		}
	})
	a := h.main(ctx, "upgrade", "--name", "shop")
	if a.code != 3 || !strings.Contains(a.err, "error: cannot upgrade shop: the master has ended meanwhile\nhint: \"shop start\" starts one again; its log is DIR/shop.log") {
		t.Errorf("%+v", a)
	}
}
