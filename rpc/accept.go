package rpc

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"
)

// acceptLoop is one Serve.
type acceptLoop struct {
	ln   net.Listener
	stop func()        // closes quit and ln
	quit chan struct{} // closed by stop
	done chan struct{} // closed when Serve returns
}

// Serve accepts sessions from ln until the endpoint drains or closes, and then
// returns [ErrClosed]; ln is closed then. It also returns when ln fails for good,
// net.ErrClosed included. Running out of descriptors or memory is no such
// failure: Serve waits a little and goes on.
func (e *Endpoint) Serve(ln net.Listener) error {
	loop := newAcceptLoop(ln, e.log)
	if !e.addLoop(loop) {
		loop.stop()
		return ErrClosed
	}
	defer e.removeLoop(loop)
	if err := e.hooks.runAfterListen(ln.Addr()); err != nil {
		loop.stop()
		return fmt.Errorf("cannot serve %v: %w", ln.Addr(), err)
	}
	var pause time.Duration
	for {
		conn, err := ln.Accept()
		switch {
		case err == nil:
			pause = 0
			e.accepted(conn)
			continue
		case e.life.stage() != open:
			return ErrClosed
		case !passes(err):
			return fmt.Errorf("cannot accept on %v: %w", ln.Addr(), err)
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		e.warns.log(e.log, "cannot accept for now", "address", ln.Addr().String(), "error", err)
		select {
		case <-time.After(pause):
		case <-loop.quit:
		}
	}
}

func newAcceptLoop(ln net.Listener, log *slog.Logger) *acceptLoop {
	l := &acceptLoop{ln: ln, quit: make(chan struct{}), done: make(chan struct{})}
	l.stop = sync.OnceFunc(func() {
		close(l.quit)
		if err := ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			log.Warn("cannot close listener", "address", ln.Addr().String(), "error", err)
		}
	})
	return l
}

// accepted takes over a connection; who is one too many is turned away.
func (e *Endpoint) accepted(conn net.Conn) {
	_, err := e.start(conn, false, watcher{})
	if err != nil {
		e.warns.log(e.log, "connection refused", "peer", conn.RemoteAddr().String(), "error", err)
	}
}

// passes tells whether accepting may work again later.
func passes(err error) bool {
	for _, e := range []error{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM,
		syscall.ECONNABORTED, syscall.EINTR, syscall.EAGAIN,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func (e *Endpoint) addLoop(l *acceptLoop) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.life.stage() != open {
		return false
	}
	e.loops[l] = struct{}{}
	return true
}

func (e *Endpoint) removeLoop(l *acceptLoop) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.loops, l)
	close(l.done)
}

// stopAccepting closes the listeners and waits until what was accepted has
// become a session.
func (e *Endpoint) stopAccepting() {
	e.mu.Lock()
	loops := make([]*acceptLoop, 0, len(e.loops))
	for l := range e.loops {
		loops = append(loops, l)
	}
	e.mu.Unlock()
	for _, l := range loops {
		l.stop()
	}
	patience := time.NewTimer(e.limits.CloseTime)
	defer patience.Stop()
	for _, l := range loops {
		select {
		case <-l.done:
		case <-patience.C:
			e.log.Warn("listener does not stop", "address", l.ln.Addr().String())
			return
		}
	}
}
