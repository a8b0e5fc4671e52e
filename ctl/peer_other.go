//go:build !linux

package ctl

import (
	"errors"
	"fmt"
	"syscall"
)

const peersKnown = false

func readPeer(syscall.Conn) (Peer, error) {
	return Peer{}, fmt.Errorf("cannot read peer credentials: %w", errors.ErrUnsupported)
}
