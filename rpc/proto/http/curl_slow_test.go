//go:build slow

package http_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
)

// curl runs the program that everybody has, and gives what it printed.
func curl(t *testing.T, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("there is no curl here")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var out, problems bytes.Buffer
	// -q: no settings of whoever runs the test.
	cmd := exec.CommandContext(ctx, path, append([]string{"-q", "--silent", "--show-error", "--noproxy", "*"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		t.Fatalf("curl %q: %v: %s", args, err, problems.Bytes())
	}
	return out.String()
}

func TestCurlReachesEveryCall(t *testing.T) {
	s := newServer(t, rpc.Limits{Message: 1 << 20})
	write := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	big := `"` + strings.Repeat("x", 500_000) + `"`
	const code = " %{response_code}"
	for _, test := range []struct {
		want string
		args []string
	}{
		{"6", []string{s.url("/sum"), "--json", "[1,2,3]"}},
		{`"a"`, []string{s.url("/echo"), "-H", "Content-Type:", "--data", `"a"`}},
		{"a=b+c", []string{s.url("/form"), "--data-urlencode", "a=b c"}},
		{`{"a":["b c"]}`, []string{s.url("/form"), "--get", "--data-urlencode", "a=b c"}},
		{`"acme y"`, []string{s.url("/meta?x=%20y"), "-X", "POST", "-H", "x-tenant: acme"}},
		{`{"code":404,"msg":"Not Found","cause":""} 404`, []string{s.url("/none"), "-w", code}},
		{`{"code":1001,"msg":"code 1001","cause":"as asked"} 422`, []string{s.url("/fail"), "-w", code}},
		{" 204", []string{s.url("/note"), "-H", "X-MType: 3", "--json", `"x"`, "-w", code}},
		{big, []string{s.url("/echo"), "--json", "@" + write("big", big)}},
		{big, []string{s.url("/echo"), "--json", "@" + write("big", big), "-H", "Transfer-Encoding: chunked"}},
		{big, []string{s.url("/echo"), "--json", "@" + write("big", big), "-H", "Expect: 100-continue", "--expect100-timeout", "20"}},
		{big, []string{s.url("/echo"), "-H", "Content-Type: application/json", "-H", "Content-Encoding: gzip", "--compressed",
			"--data-binary", "@" + write("packed", gzipped(t, big))}},
		{"6", []string{s.url("/sum"), "--http1.0", "--json", "[1,2,3]"}},
		{"6", []string{s.url("/sum"), "-H", "Connection: close", "--json", "[1,2,3]"}},
		{"6 1\n6 0\n", []string{"-w", " %{num_connects}\n", s.url("/sum"), "--json", "[1,2,3]", "--next",
			"--silent", "-w", " %{num_connects}\n", s.url("/sum"), "--json", "[1,2,3]"}},
	} {
		if got := curl(t, test.args...); got != test.want {
			t.Errorf("curl %.200q printed %.200q, want %.200q", test.args, got, test.want)
		}
	}
	head := curl(t, "--head", s.url("/form?a=b"))
	if !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") || !strings.Contains(head, "Content-Length: 11\r\n") {
		t.Errorf("got %q", head)
	}
	tooBig := curl(t, s.url("/echo"), "--json", "@"+write("big", strings.Repeat("x", 2<<20)), "-H", "Expect: 100-continue",
		"--expect100-timeout", "20", "-w", code)
	if !strings.HasSuffix(tooBig, " 413") {
		t.Errorf("got %q", tooBig)
	}
}

func TestManyCurlsAtOnce(t *testing.T) {
	s := newServer(t, rpc.Limits{})
	args := []string{"--parallel", "--parallel-max", "20"}
	for i := range 200 {
		args = append(args, s.url("/form?n="+itoa(i)))
	}
	got := strings.Split(strings.ReplaceAll(curl(t, args...), "}{", "}\n{"), "\n")
	slices.Sort(got)
	if len(slices.Compact(got)) != 200 {
		t.Errorf("%d answers: %q", len(got), got)
	}
}
