package registry

import (
	"context"
	"errors"
	"iter"
)

var (
	// ErrUnavailable is wrapped by what fails because the registry cannot be
	// reached now. It may work later.
	ErrUnavailable = errors.New("registry is not available")

	// ErrReplaced is the end of a registration whose node id was registered
	// anew, as by the next build of the same program.
	ErrReplaced = errors.New("node was registered anew by another")

	// ErrClosed is returned by a registry or registration that was closed.
	ErrClosed = errors.New("registry is closed")
)

// Registry keeps the nodes of services.
type Registry interface {
	// Register makes n a node of the service and keeps it one until the
	// registration is closed. It returns once the first attempt was made. That
	// the registry is not available is no error here: the registration keeps
	// trying, and says so by Err and Wait. Errors are bad input, as [Complete]
	// finds it, ErrClosed, or the end of ctx. ctx has no part in what follows.
	Register(ctx context.Context, service string, n Node) (Registration, error)

	// Lookup returns what is registered now. A service without nodes is no
	// error.
	Lookup(ctx context.Context, service string) (Service, error)

	// Watch yields the service as it is, then again whenever it has changed,
	// each time as a whole. Who is slow misses what lies between, never the
	// last. An outage is yielded as one error that wraps ErrUnavailable; what was
	// yielded before it may be out of date, and the next snapshot says that it is
	// over. The sequence ends with ctx, or with an error that does not wrap
	// ErrUnavailable: ErrClosed, or a bad name. Any number may watch.
	Watch(ctx context.Context, service string) iter.Seq2[Service, error]

	// Close closes all registrations, ends all watches and releases what the
	// registry holds. It returns what could not be deregistered.
	Close(ctx context.Context) error
}

// Registration is one node that is kept registered: renewed at least three times
// in its time to live, and tried again at the same pace while that fails.
type Registration interface {
	// Node is what was registered, with its id.
	Node() Node

	// Err is nil while the node is registered. Else it says why not: an error
	// that wraps ErrUnavailable for now, ErrReplaced or ErrClosed for good.
	Err() error

	// Wait returns nil as soon as the node is registered, and an error if that
	// will not be any more or ctx ends before.
	Wait(ctx context.Context) error

	// Close deregisters the node; when it returns nil nobody finds it any more.
	// It tries once. If that fails the node is no longer renewed all the same,
	// and is forgotten in time; Close may be called again to try again.
	Close(ctx context.Context) error
}
