package sandbox

import (
	"errors"
	"testing"
)

func TestEveryStateCanBeReachedAndLeft(t *testing.T) {
	states := []State{Stopped, Starting, Ready, Draining, Backoff, Failed, Finished, Stuck}
	from, to := make(map[State]bool), make(map[State]bool)
	for _, tr := range transitions() {
		from[tr.from], to[tr.to] = true, true
	}
	for _, s := range states {
		if !from[s] || !to[s] {
			t.Errorf("%s: left %v, reached %v", s, from[s], to[s])
		}
	}
	if len(from) != len(states) {
		t.Errorf("the table has %d states, this test knows %d", len(from), len(states))
	}
}

func TestNoTwoEdgesForOnePair(t *testing.T) {
	type pair struct {
		from  State
		event Event
	}
	seen := make(map[pair]State)
	for _, tr := range transitions() {
		p := pair{tr.from, tr.event}
		if other, ok := seen[p]; ok {
			t.Errorf("%s on %s leads to %s and to %s", tr.from, tr.event, other, tr.to)
		}
		seen[p] = tr.to
	}
}

func TestWrongMovesAreRefused(t *testing.T) {
	got, err := Stuck.To(evStart)
	var m *MoveError
	if got != Stuck || !errors.As(err, &m) || m.From != Stuck || m.Event != evStart {
		t.Fatalf("got %s, %v", got, err)
	}
	if want := "cannot start: it is stuck"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}
