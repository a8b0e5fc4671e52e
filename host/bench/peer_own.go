package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
)

// ownPeer is one of the roles floor, supervise and raw.
type ownPeer struct {
	role       string
	executable string // a copy of this one, so that no pages are shared with others
	profiles   string // folder for profiles of the CPU, if not empty
}

func (p ownPeer) name() string { return p.role }
func (p ownPeer) find() error  { return nil }

func (p ownPeer) prepare(j job) error {
	if j.policy == defaults {
		return errors.New("has no policy")
	}
	w := plan{Socket: j.path("s"), Logs: j.logDir(), Tasks: j.tasks, Keep: j.policy == keepOn}
	if p.profiles != "" {
		w.CPU = filepath.Join(p.profiles, filepath.Base(j.dir)+".cpu")
	}
	text, err := json.Marshal(w)
	if err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(j.logDir(), 0o700), j.write("plan.json", string(text)))
}

func (p ownPeer) launch(ctx context.Context, j job) (instance, error) {
	pid, err := foreground(j, p.executable, p.role, j.path("plan.json"))
	if err != nil {
		return nil, err
	}
	i := ownInstance{pid: pid, dir: j.logDir(), socket: j.path("s"), executable: p.executable}
	return i, poll(ctx, look, func() (bool, error) {
		_, err := os.Stat(i.socket)
		return err == nil, nil
	}, func() string { return p.role + " has no socket" })
}

type ownInstance struct {
	pid        int
	dir        string // of the logs
	socket     string
	executable string
}

func (i ownInstance) root() int    { return i.pid }
func (i ownInstance) logs() string { return i.dir }

func (i ownInstance) status(ctx context.Context) (func() (int, error), error) {
	answer, err := ask(ctx, i.socket, "status")
	return func() (n int, err error) {
		list, err := places(answer)
		for _, p := range list {
			if p.State == stateRunning {
				n++
			}
		}
		return n, err
	}, err
}

func (i ownInstance) command() []string { return []string{i.executable, roleAsk, i.socket, "status"} }

func (i ownInstance) stop(ctx context.Context) error {
	_, err := ask(ctx, i.socket, "stop")
	return err
}

func (i ownInstance) state(context.Context) (string, error) { return "", errors.New("has none") }
