package sandbox

import "context"

// Pair is a service in two halves, as older applications have it.
type Pair interface {
	// Setup brings the service up. Usually it returns then, and the sandbox is
	// ready; one that blocks while it serves calls Box.Ready itself.
	Setup(ctx context.Context, box *Box) error
	// Shutdown finishes what runs and makes a blocking Setup return. ctx ends at
	// the drain deadline. It is called once for each Setup that did not fail.
	Shutdown(ctx context.Context) error
}

// FromSetup makes a [Service] of a Setup/Shutdown pair.
func FromSetup(name string, p Pair) Service { return &pairService{name: name, pair: p} }

type pairService struct {
	name string
	pair Pair
}

func (s *pairService) Name() string { return s.name }

// Serve runs Setup, waits for the drain, and runs Shutdown.
func (s *pairService) Serve(ctx context.Context, box *Box) error {
	drain := box.Drain()
	setup := make(chan error, 1)
	box.Go("Setup", func(ctx context.Context) { setup <- s.pair.Setup(ctx, box) })
	for up := setup; ; {
		select {
		case err := <-up:
			if err != nil {
				return err
			}
			box.Ready()
			up, setup = nil, nil
		case <-drain:
			return s.shutdown(ctx, setup)
		case <-ctx.Done(): // a panic in Setup comes this way
			return s.shutdown(ctx, setup)
		}
	}
}

// shutdown ends the pair; setup is nil if Setup has returned.
func (s *pairService) shutdown(ctx context.Context, setup <-chan error) error {
	err := s.pair.Shutdown(ctx)
	if setup == nil {
		return err
	}
	select {
	case e := <-setup:
		if err == nil {
			err = e
		}
	case <-ctx.Done():
	}
	return err
}
