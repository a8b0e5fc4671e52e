package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// supervisorPeer is Debian's supervisor, asked by XML-RPC on its socket.
type supervisorPeer struct{}

func (supervisorPeer) name() string { return "supervisor" }
func (supervisorPeer) find() error {
	return installed("supervisor", "supervisord", "supervisorctl")
}

func (supervisorPeer) prepare(j job) error {
	var c strings.Builder
	fmt.Fprintf(&c, `[unix_http_server]
file = %[1]s/s
[supervisord]
logfile = %[1]s/supervisord.log
pidfile = %[1]s/pid
childlogdir = %[2]s
minfds = 8192
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl = unix://%[1]s/s
`, j.dir, j.logDir())
	for _, t := range j.tasks {
		fmt.Fprintf(&c, "[program:%[1]s]\ncommand = %[2]s\nstdout_logfile = %[3]s/%[1]s.log\nstdout_logfile_maxbytes = 0\n",
			t.Name, strings.Join(t.Args, " "), j.logDir())
		switch j.policy {
		case keepOn:
			c.WriteString("autorestart = true\nstartsecs = 0\n")
		case once:
			c.WriteString("autorestart = false\nstartsecs = 0\n")
		}
	}
	return errors.Join(os.MkdirAll(j.logDir(), 0o700), j.write("supervisord.conf", c.String()))
}

func (supervisorPeer) launch(_ context.Context, j job) (instance, error) {
	pid, err := foreground(j, "supervisord", "-n", "-c", j.path("supervisord.conf"))
	return supervisorInstance{pid: pid, job: j}, err
}

type supervisorInstance struct {
	pid int
	job job
}

func (i supervisorInstance) root() int    { return i.pid }
func (i supervisorInstance) logs() string { return i.job.logDir() }

func (i supervisorInstance) status(ctx context.Context) (func() (int, error), error) {
	answer, err := i.call(ctx, "supervisor.getAllProcessInfo")
	return func() (int, error) { return strings.Count(answer, "<string>RUNNING</string>"), nil }, err
}

func (i supervisorInstance) command() []string {
	return []string{"supervisorctl", "-c", i.job.path("supervisord.conf"), "status"}
}

func (i supervisorInstance) stop(ctx context.Context) error {
	_, err := i.call(ctx, "supervisor.stopAllProcesses")
	return err
}

func (i supervisorInstance) state(ctx context.Context) (string, error) {
	answer, err := i.call(ctx, "supervisor.getAllProcessInfo")
	_, rest, _ := strings.Cut(answer, "<name>statename</name>")
	_, rest, _ = strings.Cut(rest, "<string>")
	state, _, _ := strings.Cut(rest, "</string>")
	return strings.ToLower(state), err
}

// call is one call without arguments, on a connection of its own.
func (i supervisorInstance) call(ctx context.Context, method string) (string, error) {
	body := "<?xml version='1.0'?><methodCall><methodName>" + method + "</methodName><params></params></methodCall>"
	answer, err := unixHTTP(ctx, i.job.path("s"), http.MethodPost, "/RPC2", body)
	if err == nil && bytes.Contains(answer, []byte("<fault>")) {
		err = fmt.Errorf("%s: %.200s", method, answer)
	}
	return string(answer), err
}
