package host

import (
	"context"
	"errors"
	"testing"
)

// tableflip tells that the former process has ended before it acts on it.
func TestUpgradeThatComesTooEarlyIsRepeated(t *testing.T) {
	broken := errors.New("child 7 exited: exit status 3")
	for _, last := range []error{nil, broken} {
		answers := []error{errors.New(parentRuns), errors.New(parentRuns), last}
		err := untilParentExited(t.Context(), func() error {
			err := answers[0]
			answers = answers[1:]
			return err
		})
		if err != last || len(answers) > 0 {
			t.Errorf("got %v, want %v; %d answers were not asked for", err, last, len(answers))
		}
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := untilParentExited(over, func() error { return errors.New(parentRuns) }); err == nil {
		t.Error("it went on when all was over")
	}
}

// The words are those of tableflip.
func TestExitOfASuccessorIsToldFromOtherFailures(t *testing.T) {
	for words, want := range map[string]string{
		"child 7 exited":                "exit status 0",
		"child 7 exited: exit status 3": "exit status 3",
		"new child 7 timed out":         "new child 7 timed out",
		parentRuns:                      parentRuns,
	} {
		if got := childExit(errors.New(words)); got != want {
			t.Errorf("%s: got %q, want %q", words, got, want)
		}
	}
}
