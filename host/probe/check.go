package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Kind is how a [Check] asks.
type Kind string

// The kinds.
const (
	TCP  Kind = "tcp"  // a connection can be made
	Unix Kind = "unix" // likewise
	HTTP Kind = "http" // GET gives a status from 200 to 399
	Exec Kind = "exec" // a command exits with 0
)

// Check says what to ask.
type Check struct {
	Kind Kind
	// Address is HOST:PORT for tcp, an absolute path for unix, a URL for http. Behind
	// http://unix:PATH:URI the URI, such as /health, is asked for on a unix socket.
	Address string
	// Command, Env and Dir are those of exec. The command's first word is the path of
	// the executable, or is looked for in PATH of this process.
	Command []string
	Env     []string // the whole environment
	Dir     string   // empty: ours
	// Timeout is how long one question may take. Default: 3s.
	Timeout time.Duration
	// Runner runs the command. Default: [OwnSession].
	Runner Runner
}

// DefaultTimeout is how long one question may take when the Check does not say.
const DefaultTimeout = 3 * time.Second

// Prober asks whether a program is well.
type Prober interface {
	// Ask returns nil if it is, or an error that says what was asked and what came
	// back. It returns when ctx ends.
	Ask(ctx context.Context) error
}

// New makes a Prober, or says what is wrong with c.
func New(c Check) (Prober, error) {
	ask, err := c.question()
	if err != nil {
		return nil, fmt.Errorf("cannot probe by %s: %w", c.Kind, err)
	}
	limit := c.Timeout
	if limit <= 0 {
		limit = DefaultTimeout
	}
	return &question{kind: c.Kind, address: c.Address, limit: limit, ask: ask}, nil
}

func (c Check) question() (func(context.Context) error, error) {
	switch c.Kind {
	case TCP:
		host, port, err := net.SplitHostPort(c.Address)
		if err != nil {
			return nil, fmt.Errorf("the address must be HOST:PORT: %w", err)
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" {
			return nil, fmt.Errorf("the address must be HOST:PORT, not %q", c.Address)
		}
		return dialer{"tcp", c.Address}.ask, nil
	case Unix:
		if err := checkPath(c.Address); err != nil {
			return nil, err
		}
		return dialer{"unix", c.Address}.ask, nil
	case HTTP:
		return newGetter(c.Address)
	case Exec:
		return newExecution(c)
	}
	return nil, fmt.Errorf("the kind must be %s, %s, %s or %s", TCP, Unix, HTTP, Exec)
}

// maxPath is the longest path of a unix socket, in bytes.
const maxPath = 107

func checkPath(path string) error {
	if !strings.HasPrefix(path, "/") || len(path) > maxPath || strings.Contains(path, "\x00") {
		return fmt.Errorf("the path of a socket must be absolute and have at most %d bytes, unlike %q", maxPath, path)
	}
	return nil
}

// question is a Prober that bounds the time that its question takes.
type question struct {
	kind    Kind
	address string
	limit   time.Duration
	ask     func(context.Context) error
}

func (q *question) Ask(ctx context.Context) error {
	late := fmt.Errorf("no answer within %v", q.limit)
	ctx, cancel := context.WithTimeoutCause(ctx, q.limit, late)
	defer cancel()
	return q.ask(ctx)
}

// reason makes what went wrong as short as it can be told.
func reason(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	if call, ok := errors.AsType[*os.SyscallError](err); ok {
		err = call.Err
	}
	if errors.Is(err, syscall.EAGAIN) {
		return errors.New("its queue of connections is full")
	}
	return err
}

// dialer asks by a connection.
type dialer struct{ network, address string }

func (d dialer) ask(ctx context.Context) error {
	conn, err := d.connect(ctx)
	if err != nil {
		return err
	}
	// Whoever answered has answered, whatever becomes of the connection.
	_ = conn.Close()
	return nil
}

func (d dialer) connect(ctx context.Context) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, d.network, d.address)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to %s %s: %w", d.network, d.address, reason(ctx, err))
	}
	return conn, nil
}
