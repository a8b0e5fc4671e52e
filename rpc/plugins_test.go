package rpc_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/dserver/dserver/rpc"
)

// named is the name of a plugin of a test.
type named string

func (n named) Name() string { return string(n) }

// keeper is a plugin that begins something with an endpoint and ends it.
type keeper struct {
	named
	mu   sync.Mutex
	open int
}

func (k *keeper) add(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.open += n
}

func (k *keeper) AfterNewEndpoint(*rpc.Endpoint) error {
	k.add(1)
	return nil
}

func (k *keeper) AfterCloseEndpoint(*rpc.Endpoint, error) error {
	k.add(-1)
	return nil
}

// afterNew is a plugin that sees a new endpoint.
type afterNew struct {
	named
	f func(e *rpc.Endpoint) error
}

func (p afterNew) AfterNewEndpoint(e *rpc.Endpoint) error { return p.f(e) }

func TestWhatHooksBeganEndsWhenNewFails(t *testing.T) {
	broken := errors.New("broken")
	k := &keeper{named: "keeper"}
	fails := afterNew{"fails", func(*rpc.Endpoint) error { return broken }}
	if _, err := rpc.New(rpc.Config{Plugins: []rpc.Plugin{k, fails}}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if k.open != 0 {
		t.Errorf("%d are open", k.open)
	}
}
