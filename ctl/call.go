package ctl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

// call is one request on its way through the server.
type call struct {
	w       http.ResponseWriter
	r       *http.Request
	server  *Server
	name    string // the last part of the path, if the route takes one
	started bool   // the header of the answer is out
}

func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{w: w, r: r, server: s}
	defer func() {
		if v := recover(); v != nil {
			s.log.Error("control request panicked", "path", r.URL.Path, "panic", v, "stack", string(debug.Stack()))
			c.fail(fmt.Errorf("cannot answer %s: internal error, see the log", r.URL.Path))
		}
	}()
	if err := c.dispatch(); err != nil {
		c.fail(err)
	}
}

func (c *call) dispatch() error {
	method, path := c.r.Method, c.r.URL.Path
	route, name, allowed := find(method, path)
	if route == nil && len(allowed) > 0 {
		c.w.Header().Set("Allow", strings.Join(allowed, ", "))
		return &statusError{http.StatusMethodNotAllowed,
			Problemf(ErrInvalid, "cannot %s %s: it takes %s", method, path, strings.Join(allowed, " or "))}
	}
	peer, _ := peerOf(c.r.Context())
	access := View // unknown paths are not told to strangers either
	if route != nil {
		access = route.access
	}
	if !c.server.allow(peer, access) {
		return Problemf(ErrDenied, "cannot %s %s: user %d may not", method, path, peer.UID).
			WithHint("ask as the user that runs the instance, or as root")
	}
	if route == nil {
		return Problemf(ErrTooOld, "cannot %s %s: this master has no such route", method, path)
	}
	if access == Operate {
		c.server.log.Info("control request", "path", path, "pid", peer.Pid, "uid", peer.UID)
	}
	c.name = name
	return route.serve(c)
}

// statusError gives an error an HTTP status that its code does not stand for.
type statusError struct {
	status int
	error
}

func (e *statusError) Unwrap() error { return e.error }

// fail answers with a problem: as the body, or as the last line of a stream.
func (c *call) fail(err error) {
	status, p := problemOf(err)
	if own, ok := errors.AsType[*statusError](err); ok {
		status = own.status
	}
	c.write(status, p)
}

func (c *call) answer(v any) error {
	c.write(http.StatusOK, v)
	return nil
}

// write sends v, and leaves a failed write alone: the caller has gone.
func (c *call) write(status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":"cannot say the answer in JSON","code":"failed"}`)
		c.server.log.Error("control answer is not JSON", "path", c.r.URL.Path, "error", err)
	}
	b = append(b, '\n')
	if !c.started {
		c.started = true
		h := c.w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(len(b)))
		c.w.WriteHeader(status)
	}
	http.NewResponseController(c.w).SetWriteDeadline(time.Now().Add(lineTime)) // can be set on every connection of ours
	c.w.Write(b)
}

// body reads the request's body into v: one JSON value without unknown fields,
// or nothing at all.
func (c *call) body(v any) error {
	rc := http.NewResponseController(c.w)
	if err := rc.SetReadDeadline(time.Now().Add(bodyTime)); err != nil {
		return err
	}
	d := json.NewDecoder(http.MaxBytesReader(c.w, c.r.Body, maxBody))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if errors.Is(err, io.EOF) {
		err = nil // an empty body asks for the defaults
	} else if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			err = nil
		} else if err == nil {
			err = errors.New("there is more after the JSON value")
		}
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &statusError{http.StatusRequestEntityTooLarge,
			Problemf(ErrInvalid, "cannot read the body of %s: it has more than %d bytes", c.r.URL.Path, tooLarge.Limit)}
	}
	if err != nil {
		return Problemf(ErrInvalid, "cannot read the body of %s: %v", c.r.URL.Path, err)
	}
	// Without this the deadline would end the request while it is worked on.
	return rc.SetReadDeadline(time.Time{})
}

// query reads the request's parameters and refuses unknown ones.
func (c *call) query(known ...string) (url.Values, error) {
	q, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return nil, Problemf(ErrInvalid, "cannot read the query of %s: %v", c.r.URL.Path, err)
	}
	var unknown []string
	for key := range q {
		if !slices.Contains(known, key) {
			unknown = append(unknown, key)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return nil, Problemf(ErrInvalid, "cannot answer %s: unknown parameter %s", c.r.URL.Path, strings.Join(unknown, ", "))
	}
	return q, nil
}

// number reads a parameter from 0 to limit; fallback is for one that is not there.
func number(q url.Values, key string, fallback, limit uint64) (uint64, error) {
	text := q.Get(key)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n > limit {
		return 0, Problemf(ErrInvalid, "cannot use %s=%q: it must be a number from 0 to %d", key, text, limit)
	}
	return n, nil
}

func flag(q url.Values, key string) (bool, error) {
	switch text := q.Get(key); text {
	case "", "0", "false":
		return false, nil
	case "1", "true":
		return true, nil
	default:
		return false, Problemf(ErrInvalid, "cannot use %s=%q: it must be 0 or 1", key, text)
	}
}
