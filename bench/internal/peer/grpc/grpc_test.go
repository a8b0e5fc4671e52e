package grpc_test

import (
	"testing"

	"github.com/dserver/dserver/bench/internal/peer/grpc"
	"github.com/dserver/dserver/bench/internal/peer/peertest"
)

func TestPeers(t *testing.T) {
	for _, p := range grpc.Peers() {
		t.Run(p.Name(), func(t *testing.T) { peertest.Run(t, p) })
	}
}
