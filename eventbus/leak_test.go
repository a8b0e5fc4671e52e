package eventbus

import (
	"context"
	"fmt"
	"testing"
)

// TestRemovalLeavesNothingBehind: a bus does not grow with names that nobody
// subscribes to any more.
func TestRemovalLeavesNothingBehind(t *testing.T) {
	b := New()
	var all []*Subscription
	for i := range 100 {
		for _, pattern := range []string{"a.%d", "a.%d.*"} {
			s, err := b.Subscribe(fmt.Sprintf(pattern, i), Options{}, func(context.Context, Event) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
	}
	s, err := On(b, Options{}, func(context.Context, int) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range append(all, s) {
		s.Remove()
	}
	if len(b.named) != 0 || len(b.typed) != 0 || len(b.patterns) != 0 {
		t.Errorf("%d names, %d types and %d patterns are left", len(b.named), len(b.typed), len(b.patterns))
	}
}
