//go:build slow

package jsonrpc_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc/internal/rpctest"
)

// jayson is a client library for node that writes a line for each message, as we do.
const jayson = "jayson@4.3.0"

// install gives a command that runs a script with the library.
func install(t *testing.T) func(script string, args ...string) ([]byte, error) {
	t.Helper()
	var tools [2]string
	for i, name := range []string{"node", "npm"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skip(err)
		}
		tools[i] = path
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	get := exec.CommandContext(ctx, tools[1], "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", dir, jayson)
	if out, err := get.CombinedOutput(); err != nil {
		t.Skipf("npm cannot install %s: %v\n%s", jayson, err, out)
	}
	return func(script string, args ...string) ([]byte, error) {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		// Beside the library, which it finds from there.
		script = filepath.Join(dir, filepath.Base(script))
		if err := os.WriteFile(script, text, 0o600); err != nil {
			t.Fatal(err)
		}
		run := exec.CommandContext(t.Context(), tools[0], append([]string{script}, args...)...)
		run.Stderr = os.Stderr
		return run.Output()
	}
}

// TestF42ClientThatOthersWrote: results, errors, a notification and a batch, with ids of
// all kinds.
func TestF42ClientThatOthersWrote(t *testing.T) {
	run := install(t)
	e, notes := newServer(t)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(rpctest.OnLoopback(t, e), "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := run(filepath.Join("testdata", "jayson.js"), port)
	if err != nil {
		t.Fatal(err)
	}
	responses := map[string]string{
		"positional":   `{"jsonrpc":"2.0","result":19,"id":"a string"}`,
		"named":        `{"jsonrpc":"2.0","result":19,"id":7}`,
		"made":         `{"result":-1,"id":"string"}`,
		"unknown":      `{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":"u"}`,
		"invalid":      `{"jsonrpc":"2.0","error":{"code":-32602,"message":"Invalid params"},"id":1.5}`,
		"failed":       `{"jsonrpc":"2.0","error":{"code":1001,"message":"code 1001"},"id":-1}`,
		"notification": `null`,
		"batch": `[{"jsonrpc":"2.0","result":7,"id":"1"},{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":"5"},` +
			`{"jsonrpc":"2.0","result":["hello",5],"id":9}]`,
	}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		var said struct {
			Name     string
			Response json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &said); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if wanted := responses[said.Name]; !reflect.DeepEqual(withoutData(t, string(said.Response)), withoutData(t, wanted)) {
			t.Errorf("%s: got %s, want %s", said.Name, said.Response, wanted)
		}
		delete(responses, said.Name)
	}
	if len(responses) > 0 {
		t.Errorf("nothing came of %v", responses)
	}
	got := map[string]bool{rpctest.Receive(t, "a notification", notes): true, rpctest.Receive(t, "a notification", notes): true}
	if !got[`update["jayson"]`] || !got[`notify_hello["jayson"]`] {
		t.Errorf("notifications %v", got)
	}
}
