package host

import "context"

// turn is a lock that one can stop waiting for. Make one with newTurn.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// take waits until nobody else has the turn, or until ctx ends.
func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// takeAll takes several turns in their order, or none of them.
func takeAll(ctx context.Context, turns ...turn) (give func(), err error) {
	for i, t := range turns {
		if err := t.take(ctx); err != nil {
			giveAll(turns[:i])
			return nil, err
		}
	}
	return func() { giveAll(turns) }, nil
}

func giveAll(turns []turn) {
	for _, t := range turns {
		t.give()
	}
}

// give passes the turn on.
func (t turn) give() { <-t }
