package ctl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"

	"github.com/dserver/dserver/internal/inherit"
)

// maxAnswer bounds what a client reads of an answer that is not a stream, bytes.
const maxAnswer = 64 << 20

// Client asks a running master. Every method returns a [*CallError] on failure;
// a method whose ctx reaches its deadline wraps [ErrTimeout].
type Client struct {
	socket string
	http   *http.Client
}

// New returns a client of the master that listens on the control socket at
// path. Nothing is opened before the first call, and nothing stays open after it.
func New(path string) *Client {
	c := &Client{socket: path}
	c.http = &http.Client{
		Transport:     &http.Transport{DialContext: c.dial, DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// Info tells who the master is: GET /v1/info.
func (c *Client) Info(ctx context.Context) (Info, error) {
	return get[Info](ctx, c, "/v1/info")
}

// Sandboxes lists all sandboxes: GET /v1/sandboxes.
func (c *Client) Sandboxes(ctx context.Context) ([]Sandbox, error) {
	return get[[]Sandbox](ctx, c, "/v1/sandboxes")
}

// Sandbox tells about one: GET /v1/sandboxes/NAME. [ErrNotFound] if there is none.
func (c *Client) Sandbox(ctx context.Context, name string) (Sandbox, error) {
	return get[Sandbox](ctx, c, "/v1/sandboxes/"+url.PathEscape(name))
}

// Workers lists all processes: GET /v1/workers. Usage costs the master some
// 0.1 ms a process.
func (c *Client) Workers(ctx context.Context, usage bool) ([]Worker, error) {
	if usage {
		return get[[]Worker](ctx, c, "/v1/workers?usage=1")
	}
	return get[[]Worker](ctx, c, "/v1/workers")
}

// Inspect tells everything: GET /v1/inspect.
func (c *Client) Inspect(ctx context.Context) (Inspection, error) {
	return get[Inspection](ctx, c, "/v1/inspect")
}

// Programs lists all programs: GET /v1/programs. d.Name is of no use here.
func (c *Client) Programs(ctx context.Context, d Detail) ([]Program, error) {
	return get[[]Program](ctx, c, "/v1/programs"+d.encode())
}

// Program tells about one: GET /v1/programs/NAME. [ErrNotFound] if there is none.
func (c *Client) Program(ctx context.Context, name string, d Detail) (Program, error) {
	return get[Program](ctx, c, "/v1/programs/"+url.PathEscape(name)+d.encode())
}

func (d Detail) encode() string {
	v := url.Values{}
	if d.Usage {
		v.Set("usage", "1")
	}
	if d.History {
		v.Set("history", "1")
	}
	if len(v) == 0 {
		return ""
	}
	return "?" + v.Encode()
}

// Reload brings new code and configuration: POST /v1/reload. It waits for the
// outcome; the end of ctx ends the wait, not the reload.
func (c *Client) Reload(ctx context.Context, r ReloadRequest) (ReloadResult, error) {
	for {
		result, err := post[ReloadResult](ctx, c, "/v1/reload", r)
		if err != nil || result.Outcome != OutcomeMoved {
			return result, err
		}
		r.Resume = result.ID
	}
}

// Start starts sandboxes and programs: POST /v1/start.
func (c *Client) Start(ctx context.Context, r ActionRequest) (ActionResult, error) {
	return post[ActionResult](ctx, c, "/v1/start", r)
}

// Stop stops sandboxes and programs, or without names the master: POST /v1/stop.
// In the latter case the process still has to end when Stop returns.
func (c *Client) Stop(ctx context.Context, r ActionRequest) (ActionResult, error) {
	return post[ActionResult](ctx, c, "/v1/stop", r)
}

// Restart restarts sandboxes in the code that runs, and programs: POST
// /v1/restart.
func (c *Client) Restart(ctx context.Context, r ActionRequest) (ActionResult, error) {
	return post[ActionResult](ctx, c, "/v1/restart", r)
}

// Signal sends a signal to programs and workers: POST /v1/signal.
func (c *Client) Signal(ctx context.Context, r SignalRequest) (ActionResult, error) {
	return post[ActionResult](ctx, c, "/v1/signal", r)
}

// Scale changes how many instances of a program or a worker run: POST /v1/scale.
func (c *Client) Scale(ctx context.Context, r ScaleRequest) (ActionResult, error) {
	return post[ActionResult](ctx, c, "/v1/scale", r)
}

// Reset starts programs and workers that were given up: POST /v1/reset.
func (c *Client) Reset(ctx context.Context, r ActionRequest) (ActionResult, error) {
	return post[ActionResult](ctx, c, "/v1/reset", r)
}

// LogLevel sets the log level of sandboxes: POST /v1/loglevel.
func (c *Client) LogLevel(ctx context.Context, r ActionRequest) (ActionResult, error) {
	return post[ActionResult](ctx, c, "/v1/loglevel", r)
}

// dialError keeps what happened before there was a connection apart from what
// happened on it.
type dialError struct{ error }

func (e *dialError) Unwrap() error { return e.error }

func (c *Client) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	nc, err := c.connect(ctx)
	if err != nil {
		return nil, &dialError{err}
	}
	return nc, nil
}

// connect makes sure that a stranger's socket is not taken for ours.
func (c *Client) connect(ctx context.Context) (net.Conn, error) {
	if err := checkPath(c.socket); err != nil {
		return nil, err
	}
	var d net.Dialer
	nc, err := d.DialContext(ctx, "unix", c.socket)
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, ErrNotRunning
	case errors.Is(err, fs.ErrPermission):
		return nil, Problemf(ErrDenied, "the socket belongs to another user").
			WithHint("ask as the user that runs the instance, or as root")
	case errors.Is(err, syscall.EAGAIN):
		return nil, fmt.Errorf("%w: too many wait in its queue", ErrBusy)
	default:
		return nil, plain(err)
	}
	if err := trust(nc); err != nil {
		nc.Close() // it was never used
		return nil, err
	}
	return nc, nil
}

// trust refuses a server that is neither ours nor root's; root may ask anybody.
func trust(nc net.Conn) error {
	sc, ok := nc.(syscall.Conn)
	if !ok || !peersKnown || os.Geteuid() == 0 {
		return nil
	}
	p, err := inherit.Peer(sc)
	if err != nil {
		return err
	}
	if p.UID != 0 && p.UID != os.Geteuid() {
		return Problemf(ErrDenied, "user %d listens there, not user %d or root", p.UID, os.Geteuid())
	}
	return nil
}
