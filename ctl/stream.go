package ctl

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// stream answers with one JSON value a line for as long as produce emits. It
// ends when produce returns, the caller leaves, or the server drains. A failure
// before the first line is an answer of its own, later it is the last line.
func stream[T any](c *call, produce func(ctx context.Context, emit func(T) error) error) error {
	if !c.server.openStream() {
		return Problemf(ErrBusy, "cannot follow: there are %d followers already", maxStreams)
	}
	defer c.server.closeStream()
	ctx, cancel := context.WithCancel(c.r.Context())
	defer cancel()
	defer context.AfterFunc(c.server.ending, cancel)()

	out := http.NewResponseController(c.w)
	c.w.Header().Set("Content-Type", "application/x-ndjson")
	err := produce(ctx, func(v T) error {
		line, err := json.Marshal(v)
		if err != nil {
			return err
		}
		c.started = true
		if err := out.SetWriteDeadline(time.Now().Add(lineTime)); err != nil {
			return err
		}
		if _, err := c.w.Write(append(line, '\n')); err != nil {
			cancel() // whoever only watches ctx learns it too
			return err
		}
		return out.Flush()
	})
	if ctx.Err() != nil {
		return nil // the caller or the server ended it
	}
	return err
}

func (s *Server) openStream() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams >= maxStreams {
		return false
	}
	s.streams++
	return true
}

func (s *Server) closeStream() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams--
}
