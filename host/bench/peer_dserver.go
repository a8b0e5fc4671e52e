package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/rundir"
)

// dserverPeer is dserver itself, in the background, with a program for each task.
type dserverPeer struct {
	executable string
	raw        bool // each program has a log of its own, byte for byte as it was written
}

func (p dserverPeer) name() string {
	if p.raw {
		return peerDserverRaw
	}
	return peerDserver
}

func (p dserverPeer) find() error {
	_, err := os.Stat(p.executable)
	return err
}

const dserverName = "bench"

func (p dserverPeer) prepare(j job) error {
	var c strings.Builder
	fmt.Fprintf(&c, "name = %q\n\n[log]\nmax_size = \"16GiB\" # what is rotated away would count as lost\n", dserverName)
	for _, t := range j.tasks {
		args := make([]string, len(t.Args))
		for i, a := range t.Args {
			args[i] = fmt.Sprintf("%q", a)
		}
		fmt.Fprintf(&c, "\n[program.%s]\ncommand = [%s]\n", t.Name, strings.Join(args, ", "))
		switch j.policy {
		case keepOn:
			fmt.Fprintf(&c, "restart = \"always\"\nbackoff_min = \"1ms\"\nbackoff_max = \"1ms\"\nstable = %q\nstart_limit = 0\n", j.stable)
		case once:
			c.WriteString("restart = \"no\"\n")
		}
		if p.raw {
			fmt.Fprintf(&c, "log_file = %q\nlog_format = \"raw\"\nlog_max_size = \"0B\"\n", filepath.Join(j.logDir(), t.Name+".log"))
		}
	}
	return errors.Join(os.MkdirAll(j.logDir(), 0o700), j.write("dserver.toml", c.String()))
}

func (p dserverPeer) launch(ctx context.Context, j job) (instance, error) {
	i := &dserverInstance{executable: p.executable, config: j.path("dserver.toml"), runtime: j.path("run"), tasks: j.tasks}
	root, err := rundir.Find(i.runtime)
	if err != nil {
		return nil, err
	}
	if i.dir, err = root.Dir(dserverName); err != nil {
		return nil, err
	}
	if i.socket, err = i.dir.Socket(); err != nil {
		return nil, err
	}
	i.client = ctl.New(i.socket)
	if i.folder = i.dir.Logs; p.raw {
		i.folder = j.logDir()
	}
	if _, err := output(ctx, i.verb("start", "-d")...); err != nil {
		return nil, errors.Join(err, i.killHalfStarted(j))
	}
	info, err := i.client.Info(ctx)
	i.pid = info.Pid
	return i, err
}

type dserverInstance struct {
	executable, config, runtime, socket string

	dir    rundir.Dir
	folder string // of the logs
	client *ctl.Client
	tasks  []task
	pid    int
}

func (i *dserverInstance) verb(words ...string) []string {
	return append(append([]string{i.executable}, words...), "-c", i.config, "--runtime-dir", i.runtime)
}

// killHalfStarted is for a master that went to the background and did not get
// ready.
func (i *dserverInstance) killHalfStarted(j job) error {
	status, err := i.dir.Peek()
	if err != nil || !status.Running {
		return err
	}
	run{instance: &dserverInstance{pid: status.Pid}, job: j}.kill()
	return nil
}

func (i *dserverInstance) root() int    { return i.pid }
func (i *dserverInstance) logs() string { return i.folder }

func (i *dserverInstance) status(ctx context.Context) (func() (int, error), error) {
	answer, err := unixHTTP(ctx, i.socket, http.MethodGet, "/v1/programs", "")
	return func() (n int, err error) {
		var list []ctl.Program
		err = json.Unmarshal(answer, &list)
		for _, p := range list {
			if p.State == "ready" {
				n++
			}
		}
		return n, err
	}, err
}

func (i *dserverInstance) command() []string { return i.verb("status") }

func (i *dserverInstance) stop(ctx context.Context) error {
	_, err := i.client.Stop(ctx, ctl.ActionRequest{})
	return err
}

func (i *dserverInstance) state(ctx context.Context) (string, error) {
	p, err := i.client.Program(ctx, i.tasks[0].Name, ctl.Detail{})
	return p.State, err
}

// output runs a command and gives what it prints; an error has what it said.
func output(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("%s: %w: %s", filepath.Base(args[0]), err, bytes.TrimSpace(said.Bytes()))
	}
	return out, nil
}
