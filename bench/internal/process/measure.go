package process

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/dserver/dserver/bench/internal/load"
	"github.com/dserver/dserver/bench/internal/peer"
	"github.com/dserver/dserver/bench/internal/result"
)

const (
	serverRole = "server"
	clientRole = "client"

	// The descriptors of both roles: peers may print to the others.
	commandFile = 0
	resultFile  = 3

	// extra is what a measurement may take besides its time.
	extra = time.Minute
	// grace is how long output may be waited for after the end of a process.
	grace = 5 * time.Second
)

// Play is what the program begins with: it takes one of the two roles if the arguments
// say so.
func Play(args []string) (code int, ok bool) {
	if len(args) != 2 || args[0] != serverRole && args[0] != clientRole {
		return 0, false
	}
	role := playServer
	if args[0] == clientRole {
		role = playClient
	}
	if err := role(args[1]); err != nil {
		fmt.Fprintln(os.Stderr, args[0]+":", err)
		return 1, true
	}
	return 0, true
}

// report is what a client answers.
type report struct {
	Run    result.Run
	NoPush bool `json:",omitempty"`
}

// Measure makes one measurement. The error is peer.ErrNoPush if the peer has none.
func Measure(ctx context.Context, plan load.Plan) (result.Run, error) {
	ctx, cancel := context.WithTimeout(ctx, plan.Time+plan.Warm+extra)
	defer cancel()
	text, err := json.Marshal(plan)
	if err != nil {
		return result.Run{}, fmt.Errorf("cannot describe the measurement: %w", err)
	}
	c, err := start(ctx, clientRole, string(text))
	if err != nil {
		return result.Run{}, err
	}
	var r report
	answered := c.answers.Decode(&r)
	if err := c.wait(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return result.Run{}, fmt.Errorf("cannot measure %s with %s: %w: %s", plan.Cell, plan.Peer, err, c.said.text())
	}
	if answered != nil {
		return result.Run{}, fmt.Errorf("cannot read what was measured: %w", answered)
	}
	if r.NoPush {
		return result.Run{}, peer.ErrNoPush
	}
	return r.Run, nil
}

// inherited opens a descriptor of a role so that the runtime waits for it, and no thread
// in the kernel: Go 1.26.8 takes up to a minute to stop the world for a collection that
// begins when a thread is about to do that.
func inherited(fd int, name string) (*os.File, error) {
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("cannot use the descriptor for %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// child is a process in one of the roles.
type child struct {
	cmd     *exec.Cmd
	alive   *os.File // the child ends when this is closed; commands are written to it
	answers *json.Decoder
	results *os.File
	said    tail
}

// start runs this executable in a role. When ctx ends it is killed.
func start(ctx context.Context, role, argument string) (*child, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot find the own executable: %w", err)
	}
	commands, alive, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer commands.Close()
	results, answers, err := os.Pipe()
	if err != nil {
		_ = alive.Close()
		return nil, err
	}
	defer answers.Close()
	c := &child{cmd: exec.CommandContext(ctx, path, role, argument), alive: alive, answers: json.NewDecoder(results), results: results}
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = commands, &c.said, &c.said
	c.cmd.ExtraFiles = []*os.File{answers}
	c.cmd.WaitDelay = grace
	if err := c.cmd.Start(); err != nil {
		_, _ = alive.Close(), results.Close()
		return nil, fmt.Errorf("cannot start the %s: %w", role, err)
	}
	return c, nil
}

// wait waits for the end of a child that has been told, or has nothing more to do.
func (c *child) wait() error {
	err := c.cmd.Wait()
	_, _ = c.alive.Close(), c.results.Close()
	return err
}

// tail keeps the end of what a process says. os/exec writes to it from one goroutine and
// has ended that one when its Wait returns.
type tail struct{ buf []byte }

func (t *tail) Write(p []byte) (int, error) {
	const most = 2 << 10
	t.buf = append(t.buf, p...)
	t.buf = t.buf[max(0, len(t.buf)-most):]
	return len(p), nil
}

func (t *tail) text() []byte { return bytes.TrimSpace(t.buf) }
