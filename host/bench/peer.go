package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/dserver/dserver/internal/group"
)

// policy is what follows when a child ends.
type policy int

const (
	keepOn   policy = iota // start it again, as soon as the supervisor can be told to
	once                   // nothing
	defaults               // whatever the supervisor does if it is told nothing
)

// job is what a peer is to run.
type job struct {
	dir     string // of this job alone
	tasks   []task
	program string // the executable that the tasks run in the end
	policy  policy
	stable  time.Duration // a child that has run for so long counts as well
	logs    bool          // the output matters: it goes to files below logDir
	wait    *group.Group  // waits for what is started
}

func (j job) logDir() string          { return filepath.Join(j.dir, "logs") }
func (j job) path(name string) string { return filepath.Join(j.dir, name) }
func (j job) write(name, text string) error {
	return os.WriteFile(j.path(name), []byte(text), 0o600)
}

// peer is one supervisor that can be measured.
type peer interface {
	name() string
	// find tells why it cannot be measured here.
	find() error
	// prepare writes what it wants to read; that is not measured.
	prepare(j job) error
	// launch starts the supervisor, which starts the tasks. It need not wait for them.
	launch(ctx context.Context, j job) (instance, error)
}

// instance is a supervisor that runs.
type instance interface {
	// root is its first process.
	root() int
	// status asks it, by the quickest way it has, for the state of all tasks. What
	// counts those that run in the answer is not part of what is measured.
	status(ctx context.Context) (count func() (int, error), err error)
	// command is how people ask it that.
	command() []string
	// stop ends all tasks; the supervisor may end as well.
	stop(ctx context.Context) error
	// state is what it calls the state that its first task is in.
	state(ctx context.Context) (string, error)
	// logs is the folder below which the output of the tasks is.
	logs() string
}

// run is an instance together with its job.
type run struct {
	instance
	peer string
	job  job
	reg  register
	from time.Duration // when it was launched, monotonic
}

// processes lists the supervisor's own: what runs below its root and is none of the
// tasks.
func (r run) processes() []int {
	var own []int
	for _, pid := range family(r.root()) {
		if !runs(pid, r.job.program) {
			own = append(own, pid)
		}
	}
	return own
}

// usage is the CPU time of each of the supervisor's processes.
func (r run) usage() map[int]time.Duration {
	used := make(map[int]time.Duration)
	for _, pid := range r.processes() {
		used[pid] = cpuTime(pid)
	}
	return used
}

// since adds up what was used after an earlier look.
func (r run) since(before map[int]time.Duration) time.Duration {
	var sum time.Duration
	for pid, used := range r.usage() {
		sum += used - before[pid]
	}
	return sum
}

func (r run) memory() (rss, pss int64) {
	for _, pid := range r.processes() {
		own, shared := memory(pid)
		rss, pss = rss+own, pss+shared
	}
	return rss, pss
}

// niceTime is how long a supervisor may take to go after its children.
const niceTime = 3 * time.Second

// end stops everything: nicely, and then what is left.
func (r run) end(limit time.Duration) {
	all := r.grab()
	// Without the time limit of the cell, which may be what has ended.
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if r.stop(ctx) == nil && len(all) > 0 {
		_ = all[0].signal(syscall.SIGTERM) // some stay until they are told
		deadline := time.Now().Add(niceTime)
		for _, h := range all { // loggers write down what they have held back
			h.gone(time.Until(deadline))
		}
	}
	killAll(all)
	r.kill() // what has come since
}

// kill ends everything at once.
func (r run) kill() { killAll(r.grab()) }

// grab takes hold of everything that runs, the root first. All of it works in the
// folder of the job; if the root does not, its number is somebody else's by now.
func (r run) grab() []handle {
	pids := worksIn(r.job.dir)
	if slices.Contains(pids, r.root()) {
		pids = append(family(r.root()), pids...)
	}
	var all []handle
	for _, pid := range pids {
		if h, err := openProcess(pid); err == nil {
			all = append(all, h)
		}
	}
	return all
}

func killAll(all []handle) {
	const limit = 5 * time.Second // only who hangs in the kernel takes longer
	for _, h := range all {
		_ = h.signal(syscall.SIGKILL)
	}
	for _, h := range all {
		h.gone(limit)
		h.close()
	}
}

// children lists the tasks that run, by what they have written down.
func (r run) children() []int {
	list, _ := r.reg.births(0)
	var pids []int
	for _, b := range list {
		if runs(b.pid, r.job.program) {
			pids = append(pids, b.pid)
		}
	}
	return pids
}

// foreground starts a supervisor that stays in the foreground.
func foreground(j job, args ...string) (pid int, err error) {
	out, err := os.Create(j.path("supervisor.out"))
	if err != nil {
		return 0, err
	}
	defer out.Close()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = j.dir, out, out
	cmd.SysProcAttr = apart()
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("cannot run %s: %w", args[0], err)
	}
	j.wait.Go(args[0], func(context.Context) { _ = cmd.Wait() })
	return cmd.Process.Pid, nil
}

// installed finds the commands of a Debian package.
func installed(pkg string, commands ...string) error {
	for _, c := range commands {
		if _, err := exec.LookPath(c); err != nil {
			return fmt.Errorf("not installed: apt-get install %s", pkg)
		}
	}
	return nil
}

// unixHTTP asks on a unix socket, on a connection of its own.
func unixHTTP(ctx context.Context, socket, method, path, body string) ([]byte, error) {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, method, "http://unix"+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.200s", res.Status, answer)
	}
	return answer, err
}

// script is a shell script that becomes the command.
func script(before string, args []string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	return "#!/bin/sh\n" + before + "exec " + strings.Join(quoted, " ") + "\n"
}
