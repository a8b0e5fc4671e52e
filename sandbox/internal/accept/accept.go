package accept

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/dserver/dserver/sandbox"
)

// Loops are the accept loops of one Serve.
type Loops struct {
	listeners []*sandbox.Listener
	running   sync.WaitGroup

	mu      sync.Mutex
	failure error
}

// Listeners returns the declared sockets of box, of which there must be one.
func Listeners(box *sandbox.Box) ([]*sandbox.Listener, error) {
	listeners, err := box.Listeners()
	if err == nil && len(listeners) == 0 {
		err = errors.New("cannot serve: the configuration declares no socket for this sandbox")
	}
	return listeners, err
}

// Start runs loop for each listener in a goroutine of box. A loop ends when
// Accept returns net.ErrClosed, which it may return as its own error; any other
// error ends all loops.
func Start(box *sandbox.Box, listeners []*sandbox.Listener, loop func(*sandbox.Listener) error) *Loops {
	l := &Loops{listeners: listeners}
	for _, ln := range listeners {
		l.running.Add(1)
		box.Go("accept on "+ln.Addr().String(), func(context.Context) {
			defer l.running.Done()
			if err := loop(ln); err != nil && !errors.Is(err, net.ErrClosed) {
				l.Fail(fmt.Errorf("cannot go on accepting on %s: %w", ln.Addr(), err))
			}
		})
	}
	return l
}

// Fail ends all loops because of err. Only the first failure counts.
func (l *Loops) Fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure != nil {
		return
	}
	l.failure = err
	for _, ln := range l.listeners {
		_ = ln.Close() // the error that counts is the one above
	}
}

// Wait waits until no loop is left, so that every connection that was accepted is
// known to whoever serves it, and returns the failure if there was one.
func (l *Loops) Wait() error {
	l.running.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failure
}

// Deadline returns the context until which running work may finish: ctx, or one
// that has ended if the service has failed, which nobody waits for.
func (l *Loops) Deadline(ctx context.Context) context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure == nil {
		return ctx
	}
	ended, cancel := context.WithCancelCause(ctx)
	cancel(l.failure)
	return ended
}
