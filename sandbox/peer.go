package sandbox

import (
	"context"
	"fmt"
)

// Peer calls another sandbox, wherever it runs. It is safe for concurrent use.
type Peer interface {
	// Call sends req to method and decodes the answer into res (nil to drop it).
	Call(ctx context.Context, method string, req, res any) error
	// Push sends body to method and expects no answer.
	Push(ctx context.Context, method string, body any) error
}

// Peers finds the way to other sandboxes; the host provides it.
type Peers interface {
	Peer(sandbox string) (Peer, error)
}

// noPeer answers each call with the reason why there is no way to the sandbox.
// Box.Peer returns no error, so that a service can keep the Peer in a field;
// the error comes where errors are expected anyway.
type noPeer struct {
	name  string
	cause error
}

func (p noPeer) Call(context.Context, string, any, any) error { return p.err() }
func (p noPeer) Push(context.Context, string, any) error      { return p.err() }
func (p noPeer) err() error                                   { return fmt.Errorf("cannot reach sandbox %q: %w", p.name, p.cause) }
