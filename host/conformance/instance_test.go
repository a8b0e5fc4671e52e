package conformance

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/hosttest"
	"github.com/dserver/dserver/host/hosttest/load"
)

// eachMode is hosttest.EachMode with both modes at the same time: mostly they wait.
func eachMode(t *testing.T, body func(t *testing.T, in *hosttest.Instance)) {
	for _, mode := range []string{"single", "multi"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			body(t, hosttest.New(t, mode))
		})
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

// runtimeFolder is what is given to --runtime-dir.
func runtimeFolder(in *hosttest.Instance) string { return filepath.Join(in.Folder, "run") }

// ownFolder is the runtime folder of the instance.
func ownFolder(in *hosttest.Instance) string { return filepath.Join(runtimeFolder(in), hosttest.Name) }

// sandbox asks for one sandbox.
func sandbox(t *testing.T, in *hosttest.Instance, name string) ctl.Sandbox {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := in.Client.Sandbox(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// pidOf is the process that runs a sandbox.
func pidOf(t *testing.T, in *hosttest.Instance, name string) int {
	t.Helper()
	s := sandbox(t, in, name)
	if len(s.Instances) != 1 {
		t.Fatalf("sandbox %s runs in %d processes", name, len(s.Instances))
	}
	return s.Instances[0].Pid
}

// get asks an HTTP sandbox once over a connection of its own.
func get(ctx context.Context, address, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return "", err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s: %s", response.Status, body)
	}
	return string(body), err
}

// held is a request that the server works on until the test lets it finish.
type held struct {
	t    *testing.T
	conn net.Conn
	text *bufio.Reader
}

// hold begins a request to the sandbox web. The server says that it has begun: a
// handler that reads the body makes it send 100 Continue.
func hold(t *testing.T, in *hosttest.Instance) *held {
	t.Helper()
	conn, err := net.Dial("tcp", in.Addr("web", "tcp"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	h := &held{t: t, conn: conn, text: bufio.NewReader(conn)}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	const head = "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
	if _, err := io.WriteString(conn, head); err != nil {
		t.Fatal(err)
	}
	if line, err := h.text.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("the server does not go on: %q, %v", line, err)
	}
	if _, err := h.text.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return h
}

// release lets the request finish and checks its answer.
func (h *held) release() {
	h.t.Helper()
	if _, err := io.WriteString(h.conn, "hello"); err != nil {
		h.t.Errorf("cannot finish the request: %v", err)
	}
	answer, err := io.ReadAll(h.text)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(string(answer), "hello") {
		h.t.Errorf("a request in flight was answered with %q, %v", answer, err)
	}
}

// cut waits until the server closes the connection without an answer.
func (h *held) cut() {
	h.t.Helper()
	answer, err := io.ReadAll(h.text)
	var timeout net.Error
	if len(answer) > 0 || errors.As(err, &timeout) && timeout.Timeout() {
		h.t.Errorf("a request that is to be cut got %q, %v", answer, err)
	}
}

// underLoad keeps clients busy on some sandboxes while body runs and fails the
// test for every request that was lost.
func underLoad(t *testing.T, in *hosttest.Instance, sandboxes []string, body func()) {
	t.Helper()
	var targets []load.Target
	for _, name := range sandboxes {
		for _, network := range []string{"tcp", "unix"} {
			targets = append(targets, load.Target{Label: name, RPC: name == "math", Network: network, Address: in.Addr(name, network)})
		}
	}
	l, err := load.Start(context.WithoutCancel(t.Context()), targets, load.Options{Slow: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		report, err := l.Stop(ctx)
		if err != nil {
			t.Errorf("the load did not end: %v", err)
		}
		if report.Failed() > 0 {
			t.Errorf("%d of %d requests to neighbours were lost\n%s", report.Failed(), report.Requests(), report.Losses())
		}
	}()
	in.Until("all clients to have an answer", l.Working)
	body()
}
