package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/status"
)

func TestWebBoundsWhatItIsGiven(t *testing.T) {
	for _, c := range []struct {
		method, target, body string
		code                 int
		answer               string
	}{
		{"GET", "/", "", http.StatusOK, "hello from process"},
		{"GET", "/nothing", "", http.StatusNotFound, "not found"},
		{"GET", "/sleep?ms=1", "", http.StatusOK, "slept 1 ms"},
		{"GET", "/sleep?ms=0", "", http.StatusOK, "slept 0 ms"},
		{"GET", "/sleep", "", http.StatusBadRequest, "from 0 to 9000"},
		{"GET", "/sleep?ms=-1", "", http.StatusBadRequest, "from 0 to 9000"},
		{"GET", "/sleep?ms=9001", "", http.StatusBadRequest, "from 0 to 9000"},
		{"GET", "/sleep?ms=1e3", "", http.StatusBadRequest, "from 0 to 9000"},
		{"POST", "/echo", "some text", http.StatusOK, "some text"},
		{"POST", "/echo", "", http.StatusOK, ""},
		{"POST", "/echo", strings.Repeat("x", mostEcho), http.StatusOK, strings.Repeat("x", mostEcho)},
		{"POST", "/echo", strings.Repeat("x", mostEcho+1), http.StatusRequestEntityTooLarge, "larger than 1048576 bytes"},
		{"GET", "/echo", "", http.StatusMethodNotAllowed, "not allowed"},
	} {
		w := httptest.NewRecorder()
		web().ServeHTTP(w, httptest.NewRequest(c.method, c.target, strings.NewReader(c.body)))
		if got := w.Body.String(); w.Code != c.code || !strings.Contains(strings.ToLower(got), strings.ToLower(c.answer)) {
			t.Errorf("%s %s with %d bytes: %d %.60q, want %d %.60q", c.method, c.target, len(c.body), w.Code, got, c.code, c.answer)
		}
	}
}

func TestSleepersWakeWhenNobodyWaits(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	r := httptest.NewRequest("GET", "/sleep?ms=9000", nil).WithContext(ctx)
	began := time.Now()
	time.AfterFunc(10*time.Millisecond, leave)
	web().ServeHTTP(httptest.NewRecorder(), r)

	client := serveMath(t)
	ctx, leave = context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer leave()
	if err := client.Call(ctx, "/math/sleep", 9000, nil); !errors.Is(err, context.DeadlineExceeded) && status.CodeOf(err) != status.HandleTimeout {
		t.Errorf("a call whose time is over failed with %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("they slept on for %v", took)
	}
}

func TestMathBoundsWhatItIsGiven(t *testing.T) {
	client := serveMath(t)
	for _, c := range []struct {
		method string
		req    any
		want   string // the answer, or the status
	}{
		{"/math/add", []int{1, 2, 3}, "6"},
		{"/math/add", []int{}, "0"},
		{"/math/add", nil, "0"},
		{"/math/add", "three", "400"},
		{"/math/sleep", 1, "1"},
		{"/math/sleep", -1, "400 Bad Message: want milliseconds from 0 to 9000"},
		{"/math/sleep", 9001, "400 Bad Message: want milliseconds from 0 to 9000"},
		{"/math/multiply", nil, "404"},
	} {
		var answer int
		err := client.Call(t.Context(), c.method, c.req, &answer)
		got := fmt.Sprint(answer)
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s %v: %s, want %s", c.method, c.req, got, c.want)
		}
	}
}

// serveMath gives a client of the demo's rpc side.
func serveMath(t *testing.T) *rpc.Session {
	t.Helper()
	server, err := rpc.New(rpc.Config{Name: "math"})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Register(math{}); err != nil {
		t.Fatal(err)
	}
	client, err := rpc.New(rpc.Config{Name: "client"})
	if err != nil {
		t.Fatal(err)
	}
	here, there := net.Pipe()
	if _, err := server.ServeConn(there); err != nil {
		t.Fatal(err)
	}
	session, err := client.ServeConn(here)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(client.Close(), server.Close()); err != nil {
			t.Error(err)
		}
	})
	return session
}

func TestHintNamesTheCommandThatWasTyped(t *testing.T) {
	for command, want := range map[string]string{
		"/tmp/go-build123/b001/exe/dserver":          "  go run ./cmd/dserver reload",
		"/home/me/.cache/go-build/3f/3f2a-d/dserver": "  go run ./cmd/dserver reload",
		"bin/dserver":            "  bin/dserver reload",
		"/usr/local/bin/dserver": "  /usr/local/bin/dserver reload",
	} {
		if hint := demoHint(command); !strings.Contains(hint, want) {
			t.Errorf("started as %s it says\n%s", command, hint)
		}
	}
}
