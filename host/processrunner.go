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

	"github.com/dserver/dserver/host/cgroup"
	"github.com/dserver/dserver/host/program"
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
	doors   *reception           // where its workers come when their session has ended
	grace   func() time.Duration // how long they serve on without a master
	groups  *cgroup.Tree         // where workers live; nil: in that of the master
	environ []string             // without anything of ours
}

// start implements runner.
func (p *processRunner) start(_ context.Context, w workload, watch observer) (instance, error) {
	w.Assignment.Home = Home{Path: p.doors.address(), Token: newToken(), Grace: p.grace()}
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
	process, group, err := p.spawn(w, theirControl, theirPassing)
	if err != nil {
		return nil, errors.Join(err, control.Close(), passing.Close())
	}
	return p.accompany(r, process, group, control, passing)
}

// accompany begins the control session with a worker process and looks after it.
func (p *processRunner) accompany(r *remote, process *supervise.Process, group *cgroup.Group, control net.Conn, passing *net.UnixConn) (*processInstance, error) {
	i := &processInstance{remote: r, process: process, group: group, passing: passing, sockets: p.sockets, doors: p.doors, log: p.log, done: make(chan struct{})}
	r.listen = i.passSocket
	err := r.attach(control)
	i.doors.expect(i.token(), i.readmit)
	p.group.Go("worker "+process.Name(), func(context.Context) { i.await() })
	if err != nil {
		i.Kill()
		return nil, err
	}
	p.group.Go("session of "+process.Name(), func(context.Context) { i.tend() })
	return i, nil
}

// adopt goes on with a worker of another master, once it has told how far it is.
func (p *processRunner) adopt(ctx context.Context, w workload, watch observer, f *found) (*processInstance, presence, error) {
	r, err := newRemote(w, watch, p.log)
	if err != nil {
		return nil, presence{}, err
	}
	i, err := p.accompany(r, f.process, f.group, f.control, f.conn)
	if err != nil {
		return nil, presence{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, admissionLimit)
	defer cancel()
	select {
	case at := <-r.greeted:
		return i, at, nil
	case <-i.done:
		return nil, presence{}, errors.New("it has ended")
	case <-ctx.Done():
		return nil, presence{}, fmt.Errorf("it has not said hello: %w", context.Cause(ctx))
	}
}

func (p *processRunner) spawn(w workload, control, passing syscall.Conn) (*supervise.Process, *cgroup.Group, error) {
	handed := p.sockets.of(w.Assignment.Sandboxes)
	labels := make([]string, len(handed))
	files := make([]syscall.Conn, len(handed), len(handed)+2)
	for i, h := range handed {
		labels[i], files[i] = h.label, h.socket
	}
	env, err := inherit.Environ(labels)
	if err != nil {
		return nil, nil, err
	}
	n := firstDescriptor + len(files)
	env = append(env, fmt.Sprintf("%s=%d,%d", controlVar, n, n+1))
	spec, err := program.Outfit(&w.Settings.Process, p.environ)
	if err != nil {
		return nil, nil, err
	}
	if spec.Group, err = p.groups.Make(groupName(w), program.CgroupLimits(&w.Settings.Process)); err != nil {
		return nil, nil, err
	}
	spec.Name = slotName(w.Worker, w.Instance)
	spec.Executable, spec.Args = w.Build.file, []string{w.Build.path, "worker", spec.Name}
	spec.Env, spec.Files = append(spec.Env, env...), append(files, control, passing)
	spec.Stdout, spec.Stderr = p.logs.output(w.Worker)
	process, err := p.spawner.Start(spec)
	if err != nil {
		return nil, nil, errors.Join(err, spec.Group.Remove())
	}
	return process, spec.Group, nil
}

// groupName is the control group of a generation: two of them may live at a time.
func groupName(w workload) string {
	return fmt.Sprintf("%s-%d-%d", w.Worker, w.Instance, w.Assignment.Generation)
}

// processInstance is a worker process.
type processInstance struct {
	*remote
	process *supervise.Process
	group   *cgroup.Group
	sockets *sockets
	doors   *reception
	log     *slog.Logger
	done    chan struct{}
	starved bool // something of it was killed for want of memory; known once it is done

	passMu  sync.Mutex // keeps the order of answers and descriptors
	passing *net.UnixConn
}

// await lets go of what belonged to the process once it has ended.
func (i *processInstance) await() {
	<-i.process.Done()
	kills, err := i.group.OOMKills()
	i.starved = err == nil && kills > 0
	if err := i.group.Remove(); err != nil {
		i.log.Warn("a control group is left", "worker", i.process.Name(), "error", err)
	}
	i.doors.forget(i.token())
	i.line.end()
	_ = i.control.Close() // the session has ended with the process
	i.passMu.Lock()
	_ = i.passing.Close()
	i.passMu.Unlock()
	close(i.done)
}

func (i *processInstance) token() string { return i.work.Assignment.Home.Token }

// readmit begins a new session with the worker, whose former one has ended.
func (i *processInstance) readmit(v visitor) {
	control, _, err := v.admit(nil)
	if err == nil {
		i.passMu.Lock()
		_ = i.passing.Close() // the worker has left it
		i.passing = v.conn
		i.passMu.Unlock()
		err = i.attach(control)
	}
	if err != nil {
		i.log.Warn("cannot go on with a worker", "worker", i.process.Name(), "pid", i.Pid(), "error", err)
		_ = v.conn.Close() // the worker comes again
	}
}

// sessionless is how long a worker may live on without a session while its master
// is there. It comes to the reception at once unless it is broken.
const sessionless = 10 * time.Second

// tend kills the worker if its session ends for good while it lives on: nobody
// could tell it anything.
func (i *processInstance) tend() {
	for {
		session, renewed := i.line.current()
		select {
		case <-session.Done():
		case <-i.line.over:
			return
		}
		late := time.NewTimer(sessionless)
		select {
		case <-renewed:
		case <-i.line.over:
		case <-i.done:
		case <-late.C:
			i.log.Error("a worker has no session any more", "worker", i.process.Name(), "pid", i.Pid())
			i.Kill()
		}
		late.Stop()
	}
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
	_, _ = i.process.Stop(context.Background(), killLadder())
	<-i.done
}

// killLadder is for a worker that is not wanted.
func killLadder() supervise.Ladder {
	return supervise.Ladder{{Signal: syscall.SIGTERM, Wait: killWait}}
}

// Done implements lifecycle.
func (i *processInstance) Done() <-chan struct{} { return i.done }

// Exit implements lifecycle.
func (i *processInstance) Exit() exit {
	x := i.process.Exit()
	cause := x.String()
	if i.starved && !x.Success() {
		cause += " (out of memory)"
	}
	return exit{Cause: i.cause(cause), Tail: i.process.Tail(), Process: x}
}

var _ instance = (*processInstance)(nil)
