package ctl

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
)

// Upgrade puts another build in the place of the running master: POST
// /v1/upgrade. It waits for the outcome, which the new image tells; the end of
// ctx ends the wait, not the upgrade. Without an ID it takes one at random.
// [ErrLost] means that whoever answers now does not know of this upgrade.
func (c *Client) Upgrade(ctx context.Context, r UpgradeRequest) (UpgradeResult, error) {
	if r.ID == 0 && r.Resume == 0 {
		r.ID = 1 + rand.IntN(math.MaxInt32)
	}
	id := max(r.ID, r.Resume)
	result, err := post[UpgradeResult](ctx, c, pathUpgrade, r)
	again := isCut(result, err)
	for tries := 0; again; tries++ {
		// The first question needs no pause: it waits in the socket's queue, which
		// goes over to the new image.
		if tries > 0 {
			if err := pause(ctx); err != nil {
				return UpgradeResult{}, &CallError{http.MethodPost, pathUpgrade, c.socket, err}
			}
		}
		result, err = post[UpgradeResult](ctx, c, pathUpgrade, UpgradeRequest{Resume: id})
		if errors.Is(err, ErrNotFound) {
			return result, &CallError{http.MethodPost, pathUpgrade, c.socket,
				fmt.Errorf("%w: the master that answers now does not know of the upgrade", ErrLost)}
		}
		again = isCut(result, err) || errors.Is(err, ErrBusy)
	}
	return result, err
}

const pathUpgrade = "/v1/upgrade"

// isCut tells whether another process has the outcome of an upgrade.
func isCut(result UpgradeResult, err error) bool {
	return err == nil && result.Outcome == OutcomeMoved || errors.Is(err, ErrLost)
}
