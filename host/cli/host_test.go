package cli_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/cli"
	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/internal/inherit"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// host runs masters in this process, each behind a control socket of its own.
type host struct {
	t   testing.TB
	dir string

	mu     sync.Mutex
	up     []*instance // in the order of their starts
	groups *group.Group
	check  error
	build  ctl.Build
	took   cli.StartOptions // what the last start was asked
	waits  atomic.Int32     // calls of Gone
}

type instance struct {
	cli.Instance
	master *master
	server *ctl.Server
	ln     *net.UnixListener
	gone   chan struct{}
}

var _ cli.Host = (*host)(nil)

func newHost(t testing.TB) *host {
	t.Helper()
	dir, err := os.MkdirTemp("", "cli") // t.TempDir grows too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, dir: dir, groups: group.New(context.Background(), nil),
		build: ctl.Build{ID: "aaaabbbbccccdddd", Path: "/usr/bin/shop", Module: "example.com/shop", Go: "go1.26.0"}}
	t.Cleanup(func() {
		for _, in := range h.running() {
			in.master.Stop(context.Background(), ctl.ActionRequest{})
		}
		h.groups.Wait(context.Background())
		os.RemoveAll(dir)
	})
	return h
}

// run starts an instance as a start -d would.
func (h *host) run(name string) *instance {
	h.t.Helper()
	in, err := h.open(name)
	if err != nil {
		h.t.Fatal(err)
	}
	h.groups.Go(name, func(ctx context.Context) { h.serve(ctx, in) })
	return in
}

func (h *host) open(name string) (*instance, error) {
	for _, in := range h.running() {
		if in.Name == name {
			return nil, ctl.Problemf(ctl.ErrConflict, "cannot start %s: it runs already, pid %d", name, in.Pid)
		}
	}
	in := &instance{Instance: h.at(name), master: newMaster(name), gone: make(chan struct{})}
	in.Pid = 100
	if name == "super" {
		in.master.withPrograms()
	}
	ln, err := ctl.Listen(in.Socket)
	if err != nil {
		return nil, err
	}
	in.ln, in.server = ln, ctl.NewServer(in.master, ctl.Config{})
	server := in.server
	h.groups.Go("ctl of "+name, func(context.Context) {
		defer ln.Close()
		server.Serve(ln)
		<-in.gone
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	h.up = append(h.up, in)
	return in, nil
}

// dup is the socket as another process would inherit it.
func (in *instance) dup(t *testing.T) net.Listener {
	t.Helper()
	ln, err := inherit.Listener(in.ln)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// serve runs an instance to its end.
func (h *host) serve(ctx context.Context, in *instance) {
	select {
	case <-in.master.stopping:
	case <-ctx.Done():
	}
	in.server.Drain()
	in.ln.Close()
	in.server.Shutdown(context.Background())
	h.mu.Lock()
	defer h.mu.Unlock()
	h.up = slices.DeleteFunc(h.up, func(other *instance) bool { return other == in })
	close(in.gone)
}

func (h *host) running() []*instance {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.up)
}

func (h *host) at(name string) cli.Instance {
	return cli.Instance{Name: name, Dir: h.dir, Socket: filepath.Join(h.dir, name+".sock"), Log: filepath.Join(h.dir, name+".log")}
}

func (h *host) Locate(_ context.Context, g cli.Global) (cli.Instance, error) {
	name, up := g.Name, h.running()
	if g.Config != "" {
		name = strings.TrimSuffix(filepath.Base(g.Config), ".toml")
	}
	var list []cli.Instance
	for _, in := range up {
		if in.Name == name {
			return in.Instance, nil
		}
		list = append(list, in.Instance)
	}
	switch {
	case name != "":
		return h.at(name), nil
	case len(list) == 0:
		return cli.Instance{}, fmt.Errorf("cannot find an instance: %w", ctl.ErrNotRunning)
	case len(list) > 1:
		return cli.Instance{}, &cli.AmbiguousError{Running: list}
	}
	return list[0], nil
}

func (h *host) Gone(ctx context.Context, in cli.Instance) error {
	h.waits.Add(1)
	for _, other := range h.running() {
		if other.Name != in.Name {
			continue
		}
		select {
		case <-other.gone:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (h *host) Start(ctx context.Context, o cli.StartOptions) error {
	in, err := h.start(o)
	if err != nil {
		return err
	}
	o.Ready(h.started(in))
	h.serve(ctx, in)
	return nil
}

func (h *host) Daemon(_ context.Context, o cli.StartOptions) (cli.Started, error) {
	in, err := h.start(o)
	if err != nil {
		return cli.Started{}, err
	}
	h.groups.Go(in.Name, func(ctx context.Context) { h.serve(ctx, in) })
	return h.started(in), nil
}

func (h *host) start(o cli.StartOptions) (*instance, error) {
	h.mu.Lock()
	h.took = o
	h.mu.Unlock()
	name := o.Name
	if name == "" {
		name = "shop"
	}
	switch name {
	case "crash":
		return nil, &cli.Failure{Cause: errors.New("worker calc ended with exit status 2 before it was ready"),
			Output: []string{"calc: cannot open the ledger", "calc: giving up"}, Hint: "see the log: " + h.at(name).Log}
	case "slow":
		return nil, fmt.Errorf("cannot start slow: %w after %v: web is not ready", ctl.ErrTimeout, o.Timeout)
	}
	return h.open(name)
}

func (h *host) started(in *instance) cli.Started {
	ctx := context.Background()
	return cli.Started{Info: in.master.Info(ctx), Sandboxes: in.master.Sandboxes(ctx), Programs: in.master.Programs(ctx, ctl.Detail{}), Ready: 85 * time.Millisecond}
}

func (h *host) Check(_ context.Context, o cli.StartOptions) (cli.Manifest, error) {
	g := o.Global
	if h.check != nil {
		return cli.Manifest{}, h.check
	}
	name := "shop"
	if g.Name != "" {
		name = g.Name
	}
	var programs []cli.ManifestProgram
	if g.Config == "programs.toml" {
		programs = []cli.ManifestProgram{
			{Name: "nginx", Instances: 2, Command: []string{"/usr/sbin/nginx", "-g", "daemon off;"}, Listen: []cli.ManifestListen{{Name: "0", Address: "tcp://0.0.0.0:80"}}},
			{Name: "jobs", Instances: 1, Command: []string{"./jobs", "--say", "it's done"}},
		}
	}
	return cli.Manifest{
		Name: name, Mode: cmp.Or(o.Mode, "multi"), Build: h.build, ConfigFile: g.Config, Programs: programs,
		Sandboxes: []cli.ManifestSandbox{
			{Name: "math", Worker: "calc", Listen: []cli.ManifestListen{{Name: "0", Address: "tcp://127.0.0.1:9091"}}},
			{Name: "web", Worker: "web", Listen: []cli.ManifestListen{}},
		},
		Limits:   cli.ManifestLimits{Stop: 10500 * time.Millisecond},
		Workers:  []cli.ManifestWorker{{Name: "calc", Instances: 2, Sandboxes: []string{"math"}}, {Name: "web", Instances: 1, Sandboxes: []string{"web"}}},
		Warnings: []string{"worker calc: instances has no effect in single mode"},
	}, nil
}

func (h *host) Build() (ctl.Build, error) { return h.build, nil }

// answer is what one command line gave.
type answer struct {
	out, err string
	code     int
}

// buffer is a stream that can be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

var shop = cli.App{Name: "shop", Short: "Sell things", Demo: true, DemoHint: "try:\n  shop call tcp://127.0.0.1:9091 /math/add '[1,2,3]'\n"}

func (h *host) main(ctx context.Context, args ...string) answer {
	var out, err buffer
	code := cli.Main(ctx, args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &err}, shop, h)
	return answer{h.mask(out.String()), h.mask(err.String()), code}
}

// mask takes out of a text what is different on each run.
func (h *host) mask(text string) string {
	times := regexp.MustCompile(`"20[0-9-]+T[0-9:.]+(Z|[+-][0-9:]+)"`)
	random := regexp.MustCompile(`"id": [0-9]{6,}`)
	text = random.ReplaceAllString(text, `"id": RANDOM`)
	return times.ReplaceAllString(strings.ReplaceAll(text, h.dir, "DIR"), `"TIME"`)
}

// within bounds a test's waits; only a broken test comes near it.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}
