package program

import (
	"slices"
	"testing"
)

func states() []State {
	return []State{Stopped, Starting, Ready, Stopping, Backoff, Exited, Fatal}
}

func occurrences() []occurrence {
	return []occurrence{begun, isOK, ending, cleanup, gone, again, delay, finish, giveUp}
}

// TestMoves asks for every pair, so that a move is in the table once or is
// refused, and nothing is unknown to it.
func TestMoves(t *testing.T) {
	allowed := map[State][]occurrence{
		Stopped:  {begun},
		Starting: {isOK, ending, cleanup, gone, again, delay, finish, giveUp},
		Ready:    {ending, cleanup, gone, again, delay, finish, giveUp},
		Stopping: {gone, again, delay, finish, giveUp},
		Backoff:  {begun, ending},
		Exited:   {begun, ending},
		Fatal:    {begun, ending},
	}
	seen := make(map[string]bool)
	for _, m := range moves {
		pair := string(m.from) + " " + string(m.on)
		if seen[pair] {
			t.Errorf("%s is in the table twice", pair)
		}
		seen[pair] = true
		if !slices.Contains(states(), m.from) || !slices.Contains(states(), m.to) || !slices.Contains(occurrences(), m.on) {
			t.Errorf("the table has something unknown: %v", m)
		}
	}
	for _, s := range states() {
		for _, on := range occurrences() {
			next, err := s.to(on)
			if want := slices.Contains(allowed[s], on); want != (err == nil) {
				t.Errorf("%s at %s: allowed %v, got %v", s, on, want, err)
			}
			if err != nil && next != s {
				t.Errorf("%s at %s is refused and leads to %s", s, on, next)
			}
		}
	}
}

// TestEveryStateCanBeLeftAndReached walks the table from the first state.
func TestEveryStateCanBeLeftAndReached(t *testing.T) {
	reached := map[State]bool{Stopped: true}
	for range states() {
		for _, m := range moves {
			if reached[m.from] {
				reached[m.to] = true
			}
		}
	}
	for _, s := range states() {
		left := slices.ContainsFunc(occurrences(), func(on occurrence) bool {
			next, err := s.to(on)
			return err == nil && next != s
		})
		if !left || !reached[s] {
			t.Errorf("%s: can be left: %v, can be reached: %v", s, left, reached[s])
		}
	}
}

func TestWorstStateCounts(t *testing.T) {
	for _, c := range []struct {
		want State
		of   []State
	}{
		{Stopped, nil},
		{Ready, []State{Ready, Ready}},
		{Exited, []State{Ready, Exited}},
		{Stopped, []State{Exited, Stopped, Ready}},
		{Starting, []State{Stopped, Starting}},
		{Stopping, []State{Starting, Stopping}},
		{Backoff, []State{Stopping, Backoff}},
		{Fatal, []State{Backoff, Ready, Fatal}},
	} {
		if got := worst(c.of); got != c.want {
			t.Errorf("of %v: %s, want %s", c.of, got, c.want)
		}
	}
}
