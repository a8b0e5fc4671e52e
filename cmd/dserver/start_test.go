package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestDemo is the first minute of a newcomer, with go run, in both modes.
func TestDemo(t *testing.T) {
	for _, mode := range []string{"single", "multi"} {
		t.Run(mode, func(t *testing.T) {
			d := newDesk(t)
			out := d.startDemo("--mode", mode)
			if !strings.Contains(out, "demo is ready") || !strings.Contains(out, "  go run ./cmd/dserver reload ") {
				t.Errorf("the start printed\n%s", out)
			}
			if sum := d.run(0, "call", d.math, "/math/add", "[1,2,3]"); sum != "6\n" {
				t.Errorf("/math/add answered %q", sum)
			}
			before := d.get("/")
			if pid := d.run(0, "call", d.math, "/math/pid"); mode == "single" && before != "hello from process "+pid {
				t.Errorf("in single mode math runs in process %q, web said %q", pid, before)
			}
			d.run(0, "reload")
			if after := d.get("/"); after == before || !strings.HasPrefix(after, "hello from process ") {
				t.Errorf("before the reload web said %q, then %q", before, after)
			}
			d.run(0, "stop")
			d.awaitEnd()
		})
	}
}

func TestDemoNamesThePortThatIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	d := newDesk(t)
	d.env = append(d.env, "DSERVER_SANDBOX__WEB__LISTEN=tcp://"+taken.Addr().String())
	for _, args := range [][]string{{"start", "--demo"}, {"start", "--demo", "-d"}, {"start", "--demo", "--mode", "single"}} {
		out := d.run(1, args...)
		if !strings.Contains(out, taken.Addr().String()) || !strings.Contains(out, "change the address") {
			t.Errorf("%v said %q", args, out)
		}
	}
}

// desk is where somebody sits and types: a runtime folder of its own, and ports
// that the system chooses.
type desk struct {
	t         *testing.T
	env       []string
	math, web string     // addresses, known once the demo has started
	ended     chan error // of the start in the foreground
}

func newDesk(t *testing.T) *desk {
	return &desk{t: t, ended: make(chan error, 1), env: append(os.Environ(),
		"DSERVER_RUNTIME_DIR="+t.TempDir(), "DSERVER_PROBATION=50ms",
		"DSERVER_SANDBOX__MATH__LISTEN=tcp://127.0.0.1:0", "DSERVER_SANDBOX__WEB__LISTEN=tcp://127.0.0.1:0",
	)}
}

func (d *desk) command(args ...string) *exec.Cmd {
	cmd := exec.Command("go", append([]string{"run", "./cmd/dserver"}, args...)...)
	cmd.Dir, cmd.Env = "../..", d.env
	return cmd
}

// run runs a verb and returns what it printed. go run ends with 1 whatever the
// code of the program was.
func (d *desk) run(code int, args ...string) string {
	d.t.Helper()
	cmd := d.command(args...)
	out, err := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != code {
		d.t.Fatalf("%v ended with %d instead of %d: %v\n%s", args, got, code, err, out)
	}
	return string(out)
}

// startDemo starts in the foreground and returns what was printed until the last
// line of the hint. The table in it tells the addresses.
func (d *desk) startDemo(args ...string) string {
	d.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { r.Close() })
	cmd := d.command(append([]string{"start", "--demo"}, args...)...)
	cmd.Stdout, cmd.Stderr = w, w
	err = cmd.Start()
	w.Close()
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { // a second stop harms nobody
		stop := d.command("stop")
		_ = stop.Run()
	})
	lines := bufio.NewScanner(r)
	var out strings.Builder
	for lines.Scan() {
		fmt.Fprintln(&out, lines.Text())
		switch word := strings.Fields(lines.Text() + " -"); word[0] {
		case "math":
			d.math = word[2]
		case "web":
			d.web = strings.Replace(word[2], "tcp", "http", 1)
		}
		if strings.Contains(lines.Text(), " stop ") {
			go func() { // ends with the start
				_, _ = io.Copy(io.Discard, r)
				d.ended <- cmd.Wait()
			}()
			return out.String()
		}
	}
	d.t.Fatalf("the start ended: %v\n%s", cmd.Wait(), out.String())
	return ""
}

func (d *desk) awaitEnd() {
	d.t.Helper()
	select {
	case err := <-d.ended:
		if err != nil {
			d.t.Errorf("the start in the foreground ended with %v", err)
		}
	case <-time.After(time.Minute):
		d.t.Error("the start in the foreground goes on after a stop")
	}
}

func (d *desk) get(path string) string {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.web+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	r.Close = true
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(body)
}
