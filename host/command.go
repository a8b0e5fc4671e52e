package host

import (
	"context"
	"errors"
	"os"
	"strconv"
	"time"

	"github.com/cloudflare/tableflip"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/cli"
	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/rundir"
)

// command is an application as the command line sees it.
type command struct {
	app  *App
	args []string // of the process
}

var _ cli.Host = (*command)(nil)

// Start implements cli.Starter. The process becomes the master, or the launcher
// of one, or the successor of the one that started it.
func (c *command) Start(ctx context.Context, o cli.StartOptions) error {
	if err := supported(); err != nil {
		return err
	}
	herald, err := findHerald()
	if err != nil {
		return err
	}
	err = c.start(ctx, o, herald)
	if err != nil {
		herald.sayFailed(err)
	}
	return err
}

func (c *command) start(ctx context.Context, o cli.StartOptions, h *herald) error {
	l, err := c.app.load(ctx, o)
	if err != nil {
		return err
	}
	if l.Config.Mode == config.Multi {
		return c.run(ctx, o, l, nil, h)
	}
	if needsLauncher(os.Stdin) {
		code, err := launch(ctx, c.args)
		if err == nil && code != 0 {
			err = cli.Exit(code) // the launched master has said why
		}
		return err
	}
	upgrader, err := newUpgrader()
	if err != nil {
		return err
	}
	return c.run(ctx, o, l, upgrader, h)
}

func (c *command) run(ctx context.Context, o cli.StartOptions, l loaded, upgrader *tableflip.Upgrader, h *herald) error {
	m, err := newMaster(ctx, c.app, o, l, upgrader, h)
	if err != nil {
		return err
	}
	return m.run(ctx)
}

// Build implements cli.Checker.
func (c *command) Build() (ctl.Build, error) {
	b, err := ownBuild()
	if err != nil {
		return ctl.Build{}, err
	}
	defer b.close()
	return b.record(), nil
}

// Check implements cli.Checker.
func (c *command) Check(ctx context.Context, o cli.StartOptions) (cli.Manifest, error) {
	l, err := c.app.load(ctx, o)
	if err != nil {
		return cli.Manifest{}, err
	}
	text, err := l.encode()
	if err != nil {
		return cli.Manifest{}, err
	}
	m := cli.Manifest{Name: l.Config.Name, Mode: string(l.Config.Mode), Warnings: l.Config.Warnings, Handover: handoverVersion, Plan: text}
	own, err := ownBuild()
	if err != nil {
		return cli.Manifest{}, err
	}
	defer own.close()
	m.Build = own.unhashed() // who reads the manifest has the file; to hash it would take longer than all the rest
	if len(l.Config.Files) > 0 {
		m.ConfigFile = l.Config.Files[0]
	}
	for _, b := range l.Config.Sandboxes {
		box := cli.ManifestSandbox{Name: b.Name, Worker: b.Worker, Listen: []cli.ManifestListen{}}
		for _, listen := range b.Listen {
			box.Listen = append(box.Listen, cli.ManifestListen{Name: listen.Name, Address: listen.String()})
		}
		m.Sandboxes = append(m.Sandboxes, box)
	}
	for _, w := range l.Config.Workers {
		m.Workers = append(m.Workers, cli.ManifestWorker{Name: w.Name, Instances: w.Instances, Sandboxes: w.Sandboxes})
	}
	m.Programs, m.Limits.Stop = manifestPrograms(l.Config), longestStop(l.Config)
	return m, nil
}

// Locate implements cli.Finder. A configuration that cannot be read does not keep
// anybody from stopping what runs.
func (c *command) Locate(_ context.Context, g cli.Global) (cli.Instance, error) {
	root, err := rundir.Find(g.RuntimeDir)
	if err != nil {
		return cli.Instance{}, err
	}
	name, configErr := c.name(g)
	if name != "" {
		dir, err := root.Dir(name)
		if err != nil {
			return cli.Instance{}, err
		}
		return peek(dir)
	}
	running, err := root.List()
	if err != nil {
		return cli.Instance{}, err
	}
	switch {
	case len(running) == 1:
		return instanceOf(running[0])
	case len(running) == 0 && g.Config == "":
		return cli.Instance{}, ctl.ErrNotRunning // whatever else may be wrong
	case configErr != nil:
		return cli.Instance{}, configErr
	case len(running) == 0:
		return cli.Instance{}, ctl.ErrNotRunning
	}
	ambiguous := &cli.AmbiguousError{}
	for _, s := range running {
		in, err := instanceOf(s)
		if err != nil {
			return cli.Instance{}, err
		}
		ambiguous.Running = append(ambiguous.Running, in)
	}
	return cli.Instance{}, ambiguous
}

// name is the name of the instance that is meant, or empty if nothing says it.
// What else is wrong with a configuration does not matter.
func (c *command) name(g cli.Global) (string, error) {
	if g.Name != "" {
		return g.Name, nil
	}
	name, files, err := config.NameOf(c.app.configOptions(cli.StartOptions{Global: g}))
	if err != nil || name != c.app.name || len(files) > 0 || len(c.app.services) > 0 {
		return name, err
	}
	return "", nil
}

func peek(dir rundir.Dir) (cli.Instance, error) {
	status, err := dir.Peek()
	if err != nil {
		return cli.Instance{}, err
	}
	return instanceOf(status)
}

func instanceOf(s rundir.Status) (cli.Instance, error) {
	socket, err := s.Socket()
	if err != nil {
		return cli.Instance{}, err
	}
	in := cli.Instance{Name: s.Name, Dir: s.Path, Socket: socket, Log: logPath(s.Dir)}
	if s.Running {
		in.Pid = max(s.Pid, 1)
	}
	return in, nil
}

// goneInterval is how often Gone looks at the lock. A lock cannot be waited for
// without taking it, which a start in the same moment would run into.
const goneInterval = 5 * time.Millisecond

// Gone implements cli.Finder.
func (c *command) Gone(ctx context.Context, in cli.Instance) error {
	dir := rundir.Dir{Name: in.Name, Path: in.Dir}
	look := time.NewTicker(goneInterval)
	defer look.Stop()
	for {
		status, err := dir.Peek()
		if err != nil || !status.Running {
			return err
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// failureOf makes the error of a failed start readable: with the last lines of
// what failed.
func failureOf(err error) error {
	var failed *FailedError
	if !errors.As(err, &failed) {
		return err
	}
	return &cli.Failure{Cause: err, Output: failed.Tail}
}

// checkArgs are the arguments with which a new build checks what this master was
// started with.
func checkArgs(o cli.StartOptions) []string {
	args := []string{"check", "--manifest"}
	for _, f := range []struct{ name, value string }{
		{"--name", o.Name}, {"--runtime-dir", o.RuntimeDir}, {"--config", o.Config}, {"--env", o.Env}, {"--mode", o.Mode},
	} {
		if f.value != "" {
			args = append(args, f.name, f.value)
		}
	}
	if o.Demo {
		args = append(args, "--demo="+strconv.FormatBool(o.Demo))
	}
	return args
}
