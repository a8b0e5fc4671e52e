package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/rpc"
)

// mostLines is what main.go may have: the point of the example is how little
// there is to it.
const mostLines = 40

func TestMainIsShort(t *testing.T) {
	text, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte("\n")); n > mostLines {
		t.Errorf("main.go has %d lines, more than %d", n, mostLines)
	}
}

// TestQuickstart lives through what the README of the example tells, in both
// modes.
func TestQuickstart(t *testing.T) {
	built := filepath.Join(t.TempDir(), "quickstart")
	if out, err := exec.Command("go", "build", "-o", built, ".").CombinedOutput(); err != nil {
		t.Fatalf("cannot build: %v\n%s", err, out)
	}
	for _, mode := range []string{"single", "multi"} {
		t.Run(mode, func(t *testing.T) { live(t, install(t, built), mode) })
	}
}

func live(t *testing.T, q *quickstart, mode string) {
	q.run(0, "start", "-d", "--mode", mode)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(q.run(-1, "logs", "-n", "200"))
		}
		q.run(-1, "stop")
	})
	q.findAddresses()
	before := q.standing()
	if greeting := q.get("/"); !strings.HasPrefix(greeting, "hello from process ") {
		t.Errorf("GET / answered %q", greeting)
	}
	q.adds(q.mathTCP)
	q.adds(q.mathUnix)

	load := q.startLoad()
	q.edit("dserver.toml", `"hello"`, `"moin"`)
	q.newBuild()
	q.run(0, "reload")
	load.stop()
	after := q.standing()
	if greeting := q.get("/"); !strings.HasPrefix(greeting, "moin from process ") {
		t.Errorf("after the reload GET / answered %q", greeting)
	}
	if after.Info.Generation != before.Info.Generation+1 || after.Info.Reloads.Cut != 0 {
		t.Errorf("after the reload it is generation %d, %+v", after.Info.Generation, after.Info.Reloads)
	}

	q.edit("dserver.toml", "greeting", "greetings")
	if out := q.run(1, "reload"); !strings.Contains(out, "greetings") {
		t.Errorf("a reload with an unknown key said %q", out)
	}
	q.adds(q.mathTCP)
	q.run(0, "stop")
	q.run(3, "status")
}

// quickstart is one installed copy of the example.
type quickstart struct {
	t   *testing.T
	dir string
	env []string

	mathTCP, mathUnix, web string
}

// install puts executable and configuration into a folder of their own, with
// ports that the system chooses.
func install(t *testing.T, built string) *quickstart {
	q := &quickstart{t: t, dir: t.TempDir()}
	q.env = append(os.Environ(), "DSERVER_RUNTIME_DIR="+filepath.Join(q.dir, "run"), "DSERVER_PROBATION=100ms")
	for to, from := range map[string]string{"quickstart": built, "dserver.toml": "dserver.toml"} {
		content, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(q.dir, to), content, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	q.edit("dserver.toml", "127.0.0.1:9091", "127.0.0.1:0")
	q.edit("dserver.toml", "127.0.0.1:8080", "127.0.0.1:0")
	return q
}

// run runs a verb and returns what it printed; it must end with code, unless
// that is negative.
func (q *quickstart) run(code int, args ...string) string {
	q.t.Helper()
	cmd := exec.Command(filepath.Join(q.dir, "quickstart"), args...)
	cmd.Dir, cmd.Env = q.dir, q.env
	out, err := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); code >= 0 && got != code {
		q.t.Fatalf("quickstart %s ended with %d instead of %d: %v\n%s", strings.Join(args, " "), got, code, err, out)
	}
	return string(out)
}

func (q *quickstart) edit(file, old, replacement string) {
	q.t.Helper()
	path := filepath.Join(q.dir, file)
	text, err := os.ReadFile(path)
	if err != nil {
		q.t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(old)) {
		q.t.Fatalf("%s has no %s", file, old)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(text, []byte(old), []byte(replacement)), 0o644); err != nil {
		q.t.Fatal(err)
	}
}

// newBuild puts another build into place as a deployment does: by a rename.
func (q *quickstart) newBuild() {
	q.t.Helper()
	path := filepath.Join(q.dir, "quickstart")
	program, err := os.ReadFile(path)
	if err != nil {
		q.t.Fatal(err)
	}
	program = append(program, "another build"...) // behind all that is loaded
	if err := os.WriteFile(path+".new", program, 0o755); err != nil {
		q.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		q.t.Fatal(err)
	}
}

// standing is what status prints as JSON.
type standing struct {
	Info      ctl.Info      `json:"info"`
	Sandboxes []ctl.Sandbox `json:"sandboxes"`
}

func (q *quickstart) standing() (s standing) {
	q.t.Helper()
	out := q.run(0, "status", "--output", "json")
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		q.t.Fatalf("status printed %s: %v", out, err)
	}
	return s
}

func (q *quickstart) findAddresses() {
	q.t.Helper()
	for _, sandbox := range q.standing().Sandboxes {
		for _, address := range sandbox.Listen {
			switch {
			case sandbox.Name == "web":
				q.web = strings.Replace(address, "tcp://", "http://", 1)
			case strings.HasPrefix(address, "unix://"):
				q.mathUnix = address
			default:
				q.mathTCP = address
			}
		}
	}
}

func (q *quickstart) get(path string) string {
	q.t.Helper()
	body, err := fetch(q.t.Context(), q.web+path)
	if err != nil {
		q.t.Error(err)
	}
	return body
}

func (q *quickstart) adds(address string) {
	q.t.Helper()
	if sum := strings.TrimSpace(q.run(0, "call", address, "/math/add", "[1,2,3]")); sum != "6" {
		q.t.Errorf("/math/add on %s answered %s", address, sum)
	}
}

// fetch gets a page on a connection of its own.
func fetch(ctx context.Context, url string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	r.Close = true
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s answered %s: %s", url, answer.Status, body)
	}
	return string(body), err
}

// load is what clients do while a reload goes on; each failure fails the test.
type load struct {
	t      *testing.T
	client *rpc.Endpoint
	over   chan struct{}
	all    sync.WaitGroup
	counts [2]int
}

// startLoad begins requests of 1.5 s, which the reload comes in the middle of,
// and short ones without a pause.
func (q *quickstart) startLoad() *load {
	e, err := rpc.New(rpc.Config{})
	if err != nil {
		q.t.Fatal(err)
	}
	l := &load{t: q.t, client: e, over: make(chan struct{})}
	math := e.Client(q.mathTCP)
	l.once(func() error { return math.Call(q.t.Context(), "/math/sleep", 1500, nil) })
	l.once(func() error { _, err := fetch(q.t.Context(), q.web+"/sleep?ms=1500"); return err })
	l.repeat(0, func() error { return math.Call(q.t.Context(), "/math/add", []int{1}, nil) })
	l.repeat(1, func() error { _, err := fetch(q.t.Context(), q.web); return err })
	return l
}

func (l *load) once(f func() error) {
	l.all.Go(func() {
		if err := f(); err != nil {
			l.t.Errorf("a request that the reload met failed: %v", err)
		}
	})
}

func (l *load) repeat(i int, f func() error) {
	l.all.Go(func() {
		pace := time.NewTicker(5 * time.Millisecond)
		defer pace.Stop()
		for ; ; l.counts[i]++ {
			select {
			case <-pace.C:
			case <-l.over:
				return
			}
			if err := f(); err != nil {
				l.t.Errorf("request %d failed: %v", l.counts[i], err)
				return
			}
		}
	})
}

func (l *load) stop() {
	close(l.over)
	l.all.Wait()
	if err := l.client.Close(); err != nil {
		l.t.Error(err)
	}
	if l.counts[0] == 0 || l.counts[1] == 0 {
		l.t.Errorf("only %v requests were made", l.counts)
	}
}
