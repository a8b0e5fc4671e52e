package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
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

// Start starts sandboxes: POST /v1/start.
func (c *Client) Start(ctx context.Context, r ActionRequest) (ActionResult, error) {
	return post[ActionResult](ctx, c, "/v1/start", r)
}

// Stop stops sandboxes, or without names the master: POST /v1/stop. In the
// latter case the process still has to end when Stop returns.
func (c *Client) Stop(ctx context.Context, r ActionRequest) (ActionResult, error) {
	return post[ActionResult](ctx, c, "/v1/stop", r)
}

// Restart restarts sandboxes in the code that runs: POST /v1/restart.
func (c *Client) Restart(ctx context.Context, r ActionRequest) (ActionResult, error) {
	return post[ActionResult](ctx, c, "/v1/restart", r)
}

// LogLevel sets the log level of sandboxes: POST /v1/loglevel.
func (c *Client) LogLevel(ctx context.Context, r ActionRequest) (ActionResult, error) {
	return post[ActionResult](ctx, c, "/v1/loglevel", r)
}

func get[T any](ctx context.Context, c *Client, path string) (T, error) {
	v, err := ask[T](ctx, c, http.MethodGet, path, nil)
	if errors.Is(err, ErrLost) {
		// A master that stops resets those who wait in its queue. Looking twice
		// does no harm, and the second answer says whether it has gone.
		return ask[T](ctx, c, http.MethodGet, path, nil)
	}
	return v, err
}

func post[T any](ctx context.Context, c *Client, path string, body any) (T, error) {
	b, err := json.Marshal(body)
	if err != nil {
		var none T
		return none, &CallError{http.MethodPost, path, c.socket, err}
	}
	return ask[T](ctx, c, http.MethodPost, path, b)
}

func ask[T any](ctx context.Context, c *Client, method, path string, body []byte) (v T, err error) {
	defer func() {
		if err != nil {
			err = &CallError{method, path, c.socket, err}
		}
	}()
	res, err := c.send(ctx, method, path, body)
	if err != nil {
		return v, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return v, lost(ctx, err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, fmt.Errorf("cannot understand the answer: %w", err)
	}
	return v, nil
}

// send does a request up to the header of an answer that is 200.
func (c *Client) send(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://ctl"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, lost(ctx, err)
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err != nil {
		return nil, lost(ctx, err)
	}
	p := new(Problem)
	if err := json.Unmarshal(b, p); err != nil || p.Text == "" {
		return nil, fmt.Errorf("cannot understand the answer: HTTP status %s", res.Status)
	}
	return nil, p
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
	p, err := readPeer(sc)
	if err != nil {
		return err
	}
	if p.UID != 0 && p.UID != os.Geteuid() {
		return Problemf(ErrDenied, "user %d listens there, not user %d or root", p.UID, os.Geteuid())
	}
	return nil
}

// lost explains why a request or an answer did not get through.
func lost(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: no answer in time", ErrTimeout)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if before, ok := errors.AsType[*dialError](err); ok {
		return before.error
	}
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err // the CallError says the rest
	}
	return fmt.Errorf("%w: %w", ErrLost, err)
}
