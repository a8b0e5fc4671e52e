package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/internal/inherit"
)

// controlVar tells a worker the numbers of its two control descriptors: the
// session's and the one on which sockets are passed.
const controlVar = "DSERVER_CONTROL"

// firstDescriptor is the number of the first descriptor that a child is handed.
const firstDescriptor = 3

// processRunner runs workloads in worker processes: the same executable, told by
// its environment that it is a worker.
type processRunner struct {
	spawner *supervise.Spawner
	group   *group.Group
	log     *slog.Logger
	logs    *logs
	sockets *sockets
	environ []string // without anything of ours
}

// start implements runner.
func (p *processRunner) start(_ context.Context, w workload, watch observer) (instance, error) {
	r, err := newRemote(w, watch, p.log)
	if err != nil {
		return nil, err
	}
	control, theirControl, err := inherit.Pair()
	if err != nil {
		return nil, err
	}
	defer theirControl.Close()
	passing, theirPassing, err := inherit.PacketPair()
	if err != nil {
		control.Close()
		return nil, err
	}
	defer theirPassing.Close()
	process, err := p.spawn(w, theirControl, theirPassing)
	if err != nil {
		return nil, errors.Join(err, control.Close(), passing.Close())
	}
	i := &processInstance{remote: r, process: process, passing: passing, sockets: p.sockets, done: make(chan struct{})}
	r.listen = i.passSocket
	err = r.attach(control)
	p.group.Go("worker "+process.Name(), func(context.Context) { i.await() })
	if err != nil {
		i.Kill()
		return nil, err
	}
	return i, nil
}

func (p *processRunner) spawn(w workload, control, passing syscall.Conn) (*supervise.Process, error) {
	handed := p.sockets.of(w.Assignment.Sandboxes)
	labels := make([]string, len(handed))
	files := make([]syscall.Conn, len(handed), len(handed)+2)
	for i, h := range handed {
		labels[i], files[i] = h.label, h.socket
	}
	env, err := inherit.Environ(labels)
	if err != nil {
		return nil, err
	}
	n := firstDescriptor + len(files)
	env = append(env, fmt.Sprintf("%s=%d,%d", controlVar, n, n+1))
	name := slotName(w.Worker, w.Instance)
	stdout, stderr := p.logs.output(w.Worker)
	return p.spawner.Start(supervise.Spec{
		Name: name, Executable: w.Build.file, Args: []string{w.Build.path, "worker", name},
		Env: slices.Concat(p.environ, env), Files: append(files, control, passing),
		Stdout: stdout, Stderr: stderr,
	})
}

// processInstance is a worker process.
type processInstance struct {
	*remote
	process *supervise.Process
	sockets *sockets
	done    chan struct{}

	passMu  sync.Mutex // keeps the order of answers and descriptors
	passing *net.UnixConn
}

// await lets go of what belonged to the process once it has ended.
func (i *processInstance) await() {
	<-i.process.Done()
	_ = i.control.Close() // the session has ended with the process
	_ = i.passing.Close()
	close(i.done)
}

// passSocket opens a socket that a sandbox asks for, or finds it, and sends it.
func (i *processInstance) passSocket(ctx context.Context, q listenRequest) error {
	if !i.holds(q.Sandbox) {
		return fmt.Errorf("worker %s does not run sandbox %q", i.work.Worker, q.Sandbox)
	}
	h, _, err := i.sockets.ensure(ctx, q.Sandbox, q.Listen)
	if err != nil {
		return err
	}
	i.passMu.Lock()
	defer i.passMu.Unlock()
	if err := i.passing.SetWriteDeadline(time.Now().Add(passingLimit)); err != nil {
		return err
	}
	return inherit.SendFile(i.passing, socketLabel(q.Sandbox, q.Listen), h.socket)
}

func (i *processInstance) holds(name string) bool {
	return slices.ContainsFunc(i.work.Assignment.Sandboxes, func(s Sandbox) bool { return s.Name == name })
}

// Pid implements sandboxes: the kernel's word, not the worker's.
func (i *processInstance) Pid() int { return i.process.Pid() }

// Open implements lifecycle.
func (i *processInstance) Open(ctx context.Context) error { return i.open(ctx, Baton{}) }

// Kill implements lifecycle: a worker that is not wanted has a second to end.
func (i *processInstance) Kill() {
	// Stop fails only for a process that cannot be killed; done tells then, too.
	_, _ = i.process.Stop(context.Background(), supervise.Ladder{{Signal: syscall.SIGTERM, Wait: killWait}})
	<-i.done
}

// Done implements lifecycle.
func (i *processInstance) Done() <-chan struct{} { return i.done }

// Exit implements lifecycle.
func (i *processInstance) Exit() exit {
	x := i.process.Exit()
	return exit{Cause: i.cause(x.String()), Tail: i.process.Tail()}
}

var _ instance = (*processInstance)(nil)
