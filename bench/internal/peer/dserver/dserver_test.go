package dserver_test

import (
	"testing"

	"github.com/dserver/dserver/bench/internal/peer/dserver"
	"github.com/dserver/dserver/bench/internal/peer/peertest"
)

func TestPeers(t *testing.T) {
	for _, p := range dserver.Peers() {
		t.Run(p.Name(), func(t *testing.T) { peertest.Run(t, p) })
	}
}
