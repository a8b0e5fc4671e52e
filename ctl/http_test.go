package ctl_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/dserver/dserver/ctl"
)

// curl asks as a person would, without our client.
func curl(t *testing.T, ctx context.Context, socket, method, path, body string) (*http.Response, string) {
	t.Helper()
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, method, "http://ctl"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

func TestAnswersAreHTTPAndJSON(t *testing.T) {
	m, path := newMaster(), socketPath(t)
	serve(t, listen(t, path), m, ctl.Config{})
	m.say("hello")
	big := `{"names":["` + strings.Repeat("x", 2<<20) + `"]}`
	for _, tt := range []struct {
		method, path, body string
		status             int
		want               string // the body, or how it begins
	}{
		{"GET", "/v1/sandboxes/math", "", 200, `{"name":"math","state":"serving","worker":"","instances":[],"listen":[],`},
		{"GET", "/v1/workers", "", 200, `[{"name":"calc","instance":1,"generation":0,"state":"","build":"","started":"0001-01-01T00:00:00Z","restarts":0,"sandboxes":[]}]`},
		{"GET", "/v1/workers?usage=true", "", 200, `[{"name":"calc"`},
		{"GET", "/v1/logs", "", 200, `{"offset":10,`},
		{"GET", "/v1/logs?n=0", "", 200, ``},
		{"POST", "/v1/reload", "", 200, `{"id":1,"outcome":"committed"`},
		{"POST", "/v1/reload", `{"names":["math"]}`, 200, `{"id":1,"outcome":"committed","plan":["math"]`},
		{"POST", "/v1/stop", `{"names":["math"]}`, 200, `{"results":[{"name":"math","state":"stopped"}]}`},
		{"POST", "/v1/stop", "", 200, `{"results":[],"cut":["web: 2 requests"]}`},

		{"GET", "/", "", 404, `{"error":"cannot GET /: this master has no such route","code":"no_route"}`},
		{"GET", "/v2/info", "", 404, `{"error":"cannot GET /v2/info: this master has no such route"`},
		{"GET", "/v1/sandboxes/", "", 404, `{"error":"cannot GET /v1/sandboxes/: this master`},
		{"GET", "/v1/sandboxes/a/b", "", 404, `{"error":"cannot GET /v1/sandboxes/a/b: this master`},
		{"GET", "/v1/info/", "", 404, `{"error":"cannot GET /v1/info/: this master`},
		{"GET", "/v1//info", "", 404, `{"error":"cannot GET /v1//info: this master`},
		{"GET", "/v1/sandboxes/nobody", "", 404, `{"error":"cannot show sandbox \"nobody\": there is no such sandbox","code":"not_found","hint":"sandboxes: math, web"}`},
		{"GET", "/v1/reload", "", 405, `{"error":"cannot GET /v1/reload: it takes POST","code":"invalid"}`},
		{"DELETE", "/v1/info", "", 405, `{"error":"cannot DELETE /v1/info: it takes GET","code":"invalid"}`},

		{"GET", "/v1/info?x=1", "", 400, `{"error":"cannot answer /v1/info: unknown parameter x","code":"invalid"}`},
		{"GET", "/v1/workers?usage=maybe", "", 400, `{"error":"cannot use usage=\"maybe\": it must be 0 or 1"`},
		{"GET", "/v1/events?since=-1", "", 400, `{"error":"cannot use since=\"-1\": it must be a number from 0`},
		{"GET", "/v1/logs?n=100001", "", 400, `{"error":"cannot use n=\"100001\": it must be a number from 0 to 100000"`},
		{"GET", "/v1/logs?since=99999999999999999999", "", 400, `{"error":"cannot use since=`},
		{"GET", "/v1/logs?name=nobody&name=math", "", 404, `{"error":"cannot read the log of nobody`},
		{"GET", "/v1/logs?name=", "", 400, `{"error":"cannot read the log: there must be at most 1024 names, and no empty one"`},
		{"GET", "/v1/logs?stream=stdout", "", 400, `{"error":"cannot read the log: the stream \"stdout\" must be one of log, out, err"`},
		{"GET", "/v1/logs?grep=a(b", "", 400, `{"error":"cannot read the log: error parsing regexp: missing closing ): `},
		{"GET", "/v1/logs?from=10m", "", 400, `{"error":"cannot use from=\"10m\": it must be a time such as 2006-01-02T15:04:05Z"`},
		{"GET", "/v1/logs?until=x", "", 400, `{"error":"cannot use until=`},
		{"GET", "/v1/logs?from=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", "", 400, `{"error":"cannot read the log: its end 2026-01-01T00:00:00Z is not after its begin`},
		{"GET", "/v1/logs?until=2026-01-01T00:00:00Z&follow=1", "", 400, `{"error":"cannot read the log: what is followed has no end"`},
		{"GET", "/v1/logs?after=10", "", 400, `{"error":"cannot use after=\"10\": it must be an offset and a log, OFFSET:LOG"`},
		{"GET", "/v1/logs?after=-1:x", "", 400, `{"error":"cannot use after=`},
		{"GET", "/v1/logs?n=all&after=10:/var/log/web.log&after=&since=1000", "", 200, ``},
		{"GET", "/v1/logs?follow=2", "", 400, `{"error":"cannot use follow=`},
		{"GET", "/v1/logs?n=%zz", "", 400, `{"error":"cannot read the query of /v1/logs`},

		{"POST", "/v1/reload", `{"name":"math"}`, 400, `{"error":"cannot read the body of /v1/reload: json: unknown field \"name\""`},
		{"POST", "/v1/reload", `{"names":"math"}`, 400, `{"error":"cannot read the body of /v1/reload: json: cannot unmarshal`},
		{"POST", "/v1/reload", `{"names":[]} {}`, 400, `{"error":"cannot read the body of /v1/reload: there is more after the JSON value"`},
		{"POST", "/v1/reload", `{"names":`, 400, `{"error":"cannot read the body of /v1/reload: unexpected EOF"`},
		{"POST", "/v1/reload", `nonsense`, 400, `{"error":"cannot read the body`},
		{"POST", "/v1/reload", big, 413, `{"error":"cannot read the body of /v1/reload: it has more than 1048576 bytes","code":"invalid"}`},
		{"POST", "/v1/start", `{}`, 400, `{"error":"cannot do that to nothing`},
		{"POST", "/v1/start", `{"names":[""]}`, 400, `{"error":"cannot do that to nothing`},
		{"POST", "/v1/start", `{"names":["math"],"drain":true}`, 400, `{"error":"cannot use drain`},
		{"POST", "/v1/stop", `{"level":"debug"}`, 400, `{"error":"cannot stop that`},
		{"POST", "/v1/loglevel", `{"names":["math"]}`, 400, `{"error":"cannot set the log level to \"\"`},

		{"POST", "/v1/restart", `{"names":["stuck"]}`, 422, `{"error":"cannot restart stuck: its Serve has not returned","code":"refused","hint":"reload the process"}`},
		{"POST", "/v1/restart", `{"names":["nobody"]}`, 404, `{"error":"cannot act on \"nobody\": not found","code":"not_found"}`},
		{"POST", "/v1/restart", `{"names":["broken"]}`, 500, `{"error":"cannot answer /v1/restart: internal error, see the log","code":"failed"}`},
	} {
		res, body := curl(t, within(t), path, tt.method, tt.path, tt.body)
		if res.StatusCode != tt.status || !strings.HasPrefix(body, tt.want) || (tt.want == "" && body != "") {
			t.Errorf("%s %s %.40s:\n%d %s", tt.method, tt.path, tt.body, res.StatusCode, body)
		}
		want := "application/json"
		if strings.HasPrefix(tt.path, "/v1/logs") && tt.status == 200 {
			want = "application/x-ndjson"
		}
		if got := res.Header.Get("Content-Type"); got != want {
			t.Errorf("%s %s: content type %q", tt.method, tt.path, got)
		}
		if tt.status == 405 && res.Header.Get("Allow") == "" {
			t.Errorf("%s %s: no Allow", tt.method, tt.path)
		}
		if tt.status != 200 && !json.Valid([]byte(body)) {
			t.Errorf("%s %s: not JSON: %s", tt.method, tt.path, body)
		}
	}
}

func TestABodyThatNeverComesHoldsNothing(t *testing.T) {
	path := socketPath(t)
	s := serve(t, listen(t, path), newMaster(), ctl.Config{})
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /v1/reload HTTP/1.1\r\nHost: ctl\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) && err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// FuzzRequests throws anything at the server: it answers, with JSON, and never
// with a fault of its own.
func FuzzRequests(f *testing.F) {
	f.Add("GET", "/v1/info", "")
	f.Add("GET", "/v1/logs?n=3&name=math&since=20", "")
	f.Add("GET", "/v1/logs?n=all&name=math&name=web&after=20:/x&from=2026-01-01T00:00:00Z&grep=a&stream=out", "")
	f.Add("GET", "/v1/sandboxes/math?x", "")
	f.Add("POST", "/v1/reload", `{"names":["math"],"dry_run":true}`)
	f.Add("POST", "/v1/loglevel", `{"names":["math"],"level":"debug"}`)
	f.Add("POST", "/v1/stop", `[]`)
	f.Add("GET", "/v1/programs/redis?usage=1&history=1", "")
	f.Add("POST", "/v1/signal", `{"names":["redis"],"signal":"HUP"}`)
	f.Add("POST", "/v1/scale", `{"name":"redis","instances":2}`)
	f.Add("POST", "/v1/upgrade", `{"id":7}`)
	m, path := newMaster(), socketPath(f)
	m.entered = nil
	serve(f, listen(f, path), m, ctl.Config{})
	tr := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}
	f.Fuzz(func(t *testing.T, method, path, body string) {
		if strings.Contains(path, "events") || strings.Contains(path, "follow") || strings.Contains(body, "broken") {
			t.Skip("streams have no end, and the master breaks when it is asked to")
		}
		req, err := http.NewRequestWithContext(within(t), method, "http://ctl"+path, strings.NewReader(body))
		if err != nil {
			t.Skip("not a request")
		}
		res, err := tr.RoundTrip(req)
		if err != nil {
			t.Skip("the client would not send it")
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode >= 500 {
			t.Errorf("%d: %s", res.StatusCode, b)
		}
		if len(b) > 0 && strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") && !json.Valid(b) {
			t.Errorf("not JSON: %s", b)
		}
	})
}
