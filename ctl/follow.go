package ctl

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	maxLine   = 1 << 20                // bytes of one line of a stream
	idleRetry = 100 * time.Millisecond // before asking again after a stream that gave nothing
)

// Events calls emit for each event after the one with ID since, and then for
// each new one: GET /v1/events. When the stream ends because another process
// takes the master's place, it goes on there; no event comes twice. It returns
// emit's error, the end of ctx, or [ErrNotRunning] once there is no master any more.
func (c *Client) Events(ctx context.Context, since uint64, emit func(Event) error) error {
	path := func(bool) string { return "/v1/events?since=" + strconv.FormatUint(since, 10) }
	return c.follow(ctx, path, true, func(line []byte) error {
		e, err := parse[Event](line)
		if err != nil {
			return err
		}
		since = e.ID
		return emit(e)
	})
}

// follow reads streams one after the other: the next begins where path says
// then, which is told whether there has been one. Without again there is but one.
func (c *Client) follow(ctx context.Context, path func(begun bool) string, again bool, use func(line []byte) error) error {
	begun := false
	for {
		at := path(begun)
		n, err := c.read(ctx, at, use)
		begun = begun || n >= 0
		if own, ok := errors.AsType[*useError](err); ok {
			return own.error
		}
		if err == nil && !again {
			return nil
		}
		if err != nil && !(again && errors.Is(err, ErrLost)) {
			return &CallError{http.MethodGet, at, c.socket, err}
		}
		if n > 0 {
			continue
		}
		select {
		case <-time.After(idleRetry):
		case <-ctx.Done():
			return &CallError{http.MethodGet, at, c.socket, lost(ctx, ctx.Err())}
		}
	}
}

// useError keeps the caller's errors apart from those of the connection.
type useError struct{ error }

// read reads one stream to its end and counts its lines; n is -1 if it did not
// begin.
func (c *Client) read(ctx context.Context, path string, use func(line []byte) error) (n int, err error) {
	res, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return -1, err
	}
	defer res.Body.Close()
	lines := bufio.NewReaderSize(res.Body, 64<<10)
	for ; ; n++ {
		line, err := readLine(lines)
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return n, nil
		}
		if errors.Is(err, errLongLine) {
			return n, err
		}
		if err != nil {
			return n, lost(ctx, err)
		}
		if p, ok := problemLine(line); ok {
			return n, p
		}
		if err := use(line); err != nil {
			return n, &useError{err}
		}
	}
}

var errLongLine = fmt.Errorf("cannot read a line of more than %d bytes", maxLine)

// readLine reads a whole line without its end; it is bounded.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxLine:
			return nil, errLongLine
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, io.ErrUnexpectedEOF
		default:
			return bytes.TrimSuffix(line, []byte("\n")), err
		}
	}
}

// problemLine recognises the last line of a stream that failed.
func problemLine(line []byte) (*Problem, bool) {
	p := new(Problem)
	if !bytes.HasPrefix(line, []byte(`{"error":`)) || json.Unmarshal(line, p) != nil {
		return nil, false
	}
	return p, true
}

func parse[T any](line []byte) (v T, err error) {
	if err = json.Unmarshal(line, &v); err != nil {
		err = fmt.Errorf("cannot understand a line of the stream: %w", err)
	}
	return v, err
}
