package roster

import (
	"fmt"
	"slices"

	"github.com/dserver/dserver/bench/internal/peer"
	"github.com/dserver/dserver/bench/internal/peer/arpc"
	"github.com/dserver/dserver/bench/internal/peer/ceiling"
	"github.com/dserver/dserver/bench/internal/peer/dserver"
	"github.com/dserver/dserver/bench/internal/peer/grpc"
	"github.com/dserver/dserver/bench/internal/peer/kitex"
	"github.com/dserver/dserver/bench/internal/peer/netrpc"
	"github.com/dserver/dserver/bench/internal/peer/rpcx"
)

// All lists them: ours, the ceilings, the others.
func All() []peer.Peer {
	return slices.Concat(dserver.Peers(), ceiling.Peers(),
		kitex.Peers(), arpc.Peers(), grpc.Peers(), rpcx.Peers(), netrpc.Peers())
}

// Names lists their names.
func Names() []string {
	var names []string
	for _, p := range All() {
		names = append(names, p.Name())
	}
	return names
}

// Find gives the peer of a name.
func Find(name string) (peer.Peer, error) {
	for _, p := range All() {
		if p.Name() == name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("there is no peer %q", name)
}
