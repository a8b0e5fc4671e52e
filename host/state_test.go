package host

import (
	"errors"
	"testing"
)

func TestEveryStateCanBeLeftAndNoTwoMovesShareAStart(t *testing.T) {
	left := make(map[State]bool)
	seen := make(map[[2]uint8]bool)
	for _, m := range moves {
		key := [2]uint8{uint8(m.from), uint8(m.step)}
		if seen[key] {
			t.Errorf("two moves from %s by %s", m.from, m.step)
		}
		seen[key], left[m.from] = true, true
	}
	for s := Starting; s < Gone; s++ {
		if !left[s] {
			t.Errorf("%s cannot be left", s)
		}
	}
	if left[Gone] {
		t.Error("gone can be left")
	}
}

func TestEveryStateLeadsToGone(t *testing.T) {
	for s := Starting; s < Gone; s++ {
		if to, err := s.to(stepExit); err != nil || to != Gone {
			t.Errorf("%s by exit: %s, %v", s, to, err)
		}
	}
}

func TestOnlyReadyCanBeCommitted(t *testing.T) {
	for s := Starting; s <= Gone; s++ {
		to, err := s.to(stepCommit)
		var refused *MoveError
		switch {
		case s == Ready && (err != nil || to != Serving):
			t.Errorf("ready by commit: %s, %v", to, err)
		case s != Ready && (!errors.As(err, &refused) || to != s):
			t.Errorf("%s by commit: %s, %v", s, to, err)
		}
	}
}
