package host

import (
	"context"
	"errors"
	"testing"

	"github.com/dserver/dserver/ctl"
)

// collect follows a hub until it has n events.
func collect(t *testing.T, h *hub, since uint64, n int) []ctl.Event {
	t.Helper()
	var got []ctl.Event
	enough := errors.New("enough")
	err := h.follow(t.Context(), since, func(e ctl.Event) error {
		if got = append(got, e); len(got) == n {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
	return got
}

func TestFollowersGetEveryEventOnceInOrder(t *testing.T) {
	const events = hubMemory - 3 // more could outrun a follower
	h := newHub()
	results := make(chan []ctl.Event)
	for range 3 {
		h.publish(ReloadQueued{})
	}
	for range 4 {
		go func() { results <- collect(t, h, 0, 500) }()
	}
	for range events {
		h.publish(ReloadQueued{})
	}
	for range 4 {
		got := <-results
		for i, e := range got {
			if i > 0 && e.ID != got[i-1].ID+1 {
				t.Fatalf("event %d follows %d", e.ID, got[i-1].ID)
			}
		}
	}
}

func TestHubRemembersTheNewest(t *testing.T) {
	h := newHub()
	for range hubMemory + 10 {
		h.publish(ReloadQueued{})
	}
	if got := collect(t, h, 0, hubMemory); got[0].ID != 11 {
		t.Errorf("oldest is %d, want 11", got[0].ID)
	}
	if got := collect(t, h, hubMemory+9, 1); got[0].ID != hubMemory+10 {
		t.Errorf("got %d", got[0].ID)
	}
}

func TestSuccessorGoesOnCounting(t *testing.T) {
	h := newHub()
	h.publish(ReloadQueued{})
	h.goOn([]ctl.Event{{ID: 40}, {ID: 41}})
	h.publish(ReloadQueued{})
	for i, e := range collect(t, h, 0, 3) {
		if e.ID != uint64(40+i) {
			t.Errorf("event %d has ID %d", i, e.ID)
		}
	}
}

func TestFollowingEndsWithItsContext(t *testing.T) {
	h := newHub()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.follow(ctx, 0, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
