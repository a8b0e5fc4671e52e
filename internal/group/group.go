package group

import (
	"context"
	"fmt"
	"runtime/debug"
	"sort"
	"strings"
	"sync"
)

// Group is a set of goroutines with one owner. Make one with [New].
type Group struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	onFail func(name string, err error)

	mu      sync.Mutex
	running map[string]int
	idle    chan struct{} // closed while nothing runs
}

// New returns an empty group whose goroutines get a context derived from ctx.
// onFail is told of every goroutine that panicked; it is called from that
// goroutine, before it counts as ended. With a nil onFail a panic is not caught
// and ends the process, as it would in a bare go statement.
func New(ctx context.Context, onFail func(name string, err error)) *Group {
	ctx, cancel := context.WithCancelCause(ctx)
	idle := make(chan struct{})
	close(idle)
	return &Group{ctx: ctx, cancel: cancel, onFail: onFail, running: make(map[string]int), idle: idle}
}

// Context is the context that goroutines of this group get.
func (g *Group) Context() context.Context { return g.ctx }

// Go starts f under name. Names need not be unique; they are what
// [Group.Wait] reports.
func (g *Group) Go(name string, f func(ctx context.Context)) {
	g.mu.Lock()
	if len(g.running) == 0 {
		g.idle = make(chan struct{})
	}
	g.running[name]++
	g.mu.Unlock()
	go g.run(name, f)
}

func (g *Group) run(name string, f func(ctx context.Context)) {
	defer g.done(name)
	if g.onFail != nil {
		defer g.catch(name)
	}
	f(g.ctx)
}

func (g *Group) catch(name string) {
	if v := recover(); v != nil {
		g.onFail(name, &PanicError{Value: v, Stack: debug.Stack()})
	}
}

func (g *Group) done(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running[name]--; g.running[name] == 0 {
		delete(g.running, name)
	}
	if len(g.running) == 0 {
		close(g.idle)
	}
}

// Cancel ends the group's context with the given cause; it does not wait.
func (g *Group) Cancel(cause error) { g.cancel(cause) }

// Wait returns nil once no goroutine runs, or an [*UnfinishedError] with the
// names of those that still run when ctx ends.
func (g *Group) Wait(ctx context.Context) error {
	for {
		g.mu.Lock()
		idle, n := g.idle, len(g.running)
		g.mu.Unlock()
		if n == 0 {
			return nil
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return &UnfinishedError{Names: g.names(), Cause: context.Cause(ctx)}
		}
	}
}

// Stop cancels the group and waits as [Group.Wait] does.
func (g *Group) Stop(ctx context.Context) error {
	g.cancel(context.Canceled)
	return g.Wait(ctx)
}

func (g *Group) names() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	names := make([]string, 0, len(g.running))
	for name, n := range g.running {
		if n > 1 {
			name = fmt.Sprintf("%s (%d times)", name, n)
		}
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// PanicError is a panic that was caught at the edge of a goroutine.
type PanicError struct {
	Value any    // what was passed to panic
	Stack []byte // the stack of the goroutine that panicked
}

// Error names the panic value only; the stack is for the log.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap gives the panic value if it was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// UnfinishedError names the goroutines that had not ended at a deadline.
type UnfinishedError struct {
	Names []string // sorted
	Cause error    // why waiting ended
}

// Error lists the names.
func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("still running: %s: %v", strings.Join(e.Names, ", "), e.Cause)
}

// Unwrap gives the reason why waiting ended.
func (e *UnfinishedError) Unwrap() error { return e.Cause }
