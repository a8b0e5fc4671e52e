package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	lookTries  = 4                     // of a question that changes nothing
	retryPause = 50 * time.Millisecond // before asking again
	retryTime  = 10 * time.Second      // how long a master may put off what it is asked
)

// get asks again when the answer is lost: looking twice does no harm. A master
// that stops resets those who wait in its queue, and one that becomes another
// program cuts whom it is answering.
func get[T any](ctx context.Context, c *Client, path string) (v T, err error) {
	for range lookTries {
		if v, err = ask[T](ctx, c, http.MethodGet, path, nil); !errors.Is(err, ErrLost) {
			break
		}
	}
	return v, err
}

// post asks once: what was lost may have been done.
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
	b, err := readAll(res)
	if err != nil {
		return v, lost(ctx, err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, fmt.Errorf("cannot understand the answer: %w", err)
	}
	return v, nil
}

// send does a request up to the header of an answer that is 200. A master that is
// about to become another program says so before it does anything: then send asks
// again.
func (c *Client) send(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	began := time.Now()
	for {
		res, err := c.sendOnce(ctx, method, path, body)
		if !errors.Is(err, ErrRetry) || time.Since(began) > retryTime {
			return res, err
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

func pause(ctx context.Context) error {
	t := time.NewTimer(retryPause)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return lost(ctx, ctx.Err())
	}
}

func (c *Client) sendOnce(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
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

// readAll reads an answer, without growing a buffer where its size is known.
func readAll(res *http.Response) ([]byte, error) {
	if n := res.ContentLength; n >= 0 && n <= maxAnswer {
		b := make([]byte, n)
		_, err := io.ReadFull(res.Body, b)
		return b, err
	}
	return io.ReadAll(io.LimitReader(res.Body, maxAnswer))
}
