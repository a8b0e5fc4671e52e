package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cloudflare/tableflip"

	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/internal/inherit"
)

// Names under which a master in single mode hands descriptors to its successor.
const (
	fileControl  = "control"
	filePassing  = "passing" // where files of programs are sent
	fileLock     = "lock"
	fileCtl      = "ctl"
	fileLifeline = "lifeline"
	fileSocket   = "socket." // and the index in Succession.Sockets
)

// tableflipVar is the variable by which tableflip tells a process that it has a
// parent. Any other child that sees it takes its descriptors for tableflip's.
const tableflipVar = "TABLEFLIP_HAS_PARENT_7DIU3"

// flipRunner starts the whole process anew, beside this one, with tableflip as
// the carrier of descriptors.
type flipRunner struct {
	group    *group.Group
	log      *slog.Logger
	upgrader *tableflip.Upgrader
	hand     func(put func(name string, file *os.File) error) error // what the successor inherits
	hurry    func(limit time.Duration)                              // the successor stops, and this process with it
	mark     func() (tail func() []string)                          // marks the log; tail gives its last lines since then
}

// start implements runner. A process whose own predecessor still drains cannot
// be replaced yet; start waits for that.
func (f *flipRunner) start(ctx context.Context, w workload, watch observer) (instance, error) {
	if err := f.upgrader.WaitForParent(ctx); err != nil {
		return nil, fmt.Errorf("cannot wait for the former process to end: %w", err)
	}
	r, err := newRemote(w, watch, f.log)
	if err != nil {
		return nil, err
	}
	r.hurry = f.hurry
	ours, theirs, err := inherit.Pair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	passing, theirPassing, err := inherit.PacketPair()
	if err != nil {
		ours.Close()
		return nil, err
	}
	defer theirPassing.Close()
	err = errors.Join(f.upgrader.AddFile(fileControl, theirs), f.upgrader.AddFile(filePassing, theirPassing), f.hand(f.upgrader.AddFile))
	if err != nil {
		ours.Close()
		passing.Close()
		return nil, fmt.Errorf("cannot hand descriptors over: %w", err)
	}
	if err := r.attach(ours); err != nil {
		return nil, err
	}
	r.line.end() // a successor has no second session
	i := &flipInstance{remote: r, group: f.group, passing: passing, tail: f.mark(), upgraded: make(chan struct{}), done: make(chan struct{})}
	// tableflip starts what os.Args[0] names and offers no other way.
	os.Args[0] = w.Build.path
	f.group.Go("upgrade", func(ctx context.Context) { i.finish(untilParentExited(ctx, f.upgrader.Upgrade)) })
	return i, nil
}

// parentRuns is what tableflip says while it believes that the process before this
// one runs; it exports no error for it.
const parentRuns = "parent hasn't exited"

// untilParentExited repeats an upgrade that comes too early: the word that the
// process before this one has ended reaches who waits for it a moment before it
// reaches who upgrades.
func untilParentExited(ctx context.Context, upgrade func() error) error {
	for {
		err := upgrade()
		if err == nil || err.Error() != parentRuns || !wait(ctx, time.Millisecond) {
			return err
		}
	}
}

// flipInstance is the process that is to succeed this one.
type flipInstance struct {
	*remote
	group    *group.Group
	passing  *net.UnixConn // where files of programs are sent
	programs error         // what came of the programs; valid after Open
	tail     func() []string
	upgraded chan struct{} // closed when the successor has taken over
	done     chan struct{} // closed when it has failed to

	once sync.Once
	out  exit
}

func (i *flipInstance) finish(err error) {
	if err == nil {
		close(i.upgraded)
		return
	}
	i.once.Do(func() {
		i.out = exit{Cause: i.cause(childExit(err)), Tail: i.tail()}
		i.control.Close()
		close(i.done)
	})
}

// childExit takes the exit out of tableflip's words, which are all there is.
func childExit(err error) string {
	if _, status, ok := strings.Cut(err.Error(), " exited: "); ok {
		return status
	}
	if strings.HasPrefix(err.Error(), "child ") && strings.HasSuffix(err.Error(), " exited") {
		return "exit status 0"
	}
	return err.Error()
}

// Pid is known once the successor has said hello.
func (i *flipInstance) Pid() int {
	if pid := i.remote.Pid(); pid != 0 {
		return pid
	}
	return tableflipChild()
}

// Open implements lifecycle: from its return on the successor is the master.
func (i *flipInstance) Open(ctx context.Context) error {
	b, kept := i.work.Baton()
	i.group.Go("files of programs", func(context.Context) {
		// If they do not arrive, the successor says so, and is none.
		_ = errors.Join(sendKept(i.passing, kept), i.passing.Close())
	})
	var answer opening
	if err := fromWire(i.line.call(ctx, routeOpen, b, &answer)); err != nil {
		select {
		case <-i.upgraded: // it has, and only the answer was lost
			return nil
		default:
			return err
		}
	}
	select {
	case <-i.upgraded:
		i.programs = answer.err()
		return nil
	case <-i.done:
		return errors.New(i.out.Cause)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Kill implements lifecycle.
func (i *flipInstance) Kill() {
	select {
	case <-i.upgraded:
		return // it is the master: nobody here may end it
	default:
	}
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if pid := i.Pid(); pid != 0 {
			_ = syscall.Kill(pid, s) // ESRCH: it has just ended
		}
		select {
		case <-i.done:
			return
		case <-time.After(killWait):
		}
	}
	<-i.done
}

// leave tells the successor what had to be cut here.
func (i *flipInstance) leave(ctx context.Context, l legacy) error {
	return fromWire(i.line.call(ctx, routeLeft, l, nil))
}

// killWait is how long a process that is not wanted has between TERM and KILL.
const killWait = time.Second

func (i *flipInstance) Done() <-chan struct{} { return i.done }
func (i *flipInstance) Exit() exit            { return i.out }

var _ instance = (*flipInstance)(nil)

// tableflipChild finds the process that tableflip has started, or 0. tableflip
// itself does not tell.
func tableflipChild() int {
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		return 0
	}
	for _, list := range lists {
		pids, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has ended
		}
		for _, field := range strings.Fields(string(pids)) {
			env, err := os.ReadFile("/proc/" + field + "/environ")
			if err == nil && strings.Contains(string(env), tableflipVar) {
				pid, _ := strconv.Atoi(field)
				return pid
			}
		}
	}
	return 0
}

// isSuccessor tells whether flipRunner started this process.
func isSuccessor() bool { return os.Getenv(tableflipVar) != "" }

func newUpgrader() (*tableflip.Upgrader, error) {
	// A transition has time limits of its own; tableflip's must never be first.
	u, err := tableflip.New(tableflip.Options{UpgradeTimeout: 24 * time.Hour})
	if err != nil {
		return nil, fmt.Errorf("cannot prepare for upgrades: %w", err)
	}
	return u, nil
}

// predecessor is the master that this process was started to succeed.
type predecessor struct {
	upgrader *tableflip.Upgrader
	control  net.Conn
	passing  *net.UnixConn // where files of programs come from
}

// findPredecessor reaches the master that started this process with flipRunner.
func findPredecessor() (*predecessor, error) {
	u, err := newUpgrader()
	if err != nil {
		return nil, err
	}
	file, err := u.File(fileControl)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the former master: %w", err)
	}
	if file == nil {
		return nil, errors.New("cannot reach the former master: it was not one of ours")
	}
	defer file.Close()
	conn, err := inherit.Conn(file)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the former master: %w", err)
	}
	p := &predecessor{upgrader: u, control: conn}
	return p, p.takePassing()
}

func (p *predecessor) takePassing() error {
	file, err := p.take(filePassing)
	if err != nil {
		return err
	}
	defer file.Close()
	conn, err := inherit.Conn(file)
	if err != nil {
		return fmt.Errorf("cannot reach the former master: %w", err)
	}
	p.passing = conn.(*net.UnixConn) // the other end made it one
	return nil
}

// take gives one inherited descriptor; the caller closes it.
func (p *predecessor) take(name string) (*os.File, error) {
	file, err := p.upgrader.File(name)
	if err != nil {
		return nil, fmt.Errorf("cannot inherit %s: %w", name, err)
	}
	if file == nil {
		return nil, fmt.Errorf("cannot inherit %s: it was not handed over", name)
	}
	return file, nil
}
