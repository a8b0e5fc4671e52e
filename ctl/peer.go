package ctl

import (
	"context"
	"os"
	"runtime"
)

// Peer is the process at the other end of a connection, as the kernel tells it.
type Peer struct {
	Pid int
	UID int
	GID int
}

// Access is what a route lets its caller do.
type Access int

// The two kinds of access a route can ask for.
const (
	View    Access = iota // look at what is
	Operate               // change what is
)

// ownerOrRoot is the access rule of a server that was given none.
func ownerOrRoot(p Peer, _ Access) bool {
	return p.UID == 0 || p.UID == os.Geteuid()
}

// peersKnown tells whether the kernel says who is at the other end of a connection.
const peersKnown = runtime.GOOS == "linux"

type peerKey struct{}

func withPeer(ctx context.Context, p Peer) context.Context {
	return context.WithValue(ctx, peerKey{}, p)
}

func peerOf(ctx context.Context) (Peer, bool) {
	p, ok := ctx.Value(peerKey{}).(Peer)
	return p, ok
}
