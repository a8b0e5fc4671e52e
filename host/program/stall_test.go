package program

import (
	"strings"
	"testing"
	"testing/synctest"
)

// TestAnEndCountsBeforeWhatWasToFollowIt: when a time is up and the process has ended before
// that, but both are seen late, it is the end that counts.
func TestAnEndCountsBeforeWhatWasToFollowIt(t *testing.T) {
	for name, test := range map[string]struct{ script, want, never string }{
		"a successor on trial": {
			"program web reload=replace|apply|wait 20s|behave web lives=500ms+code=3|reload web|stall web/1 2s|wait 5s",
			"> reload web: ready: web/1.2 did not start: exit status 3", "replaces",
		},
		"a start that is to settle": {
			"program web restart=no|behave web lives=50ms+code=3|apply|stall web/1 20s|wait 30s",
			"> apply web: fatal: web/1.1 did not start: exit status 3", "> apply web: ready",
		},
		"a start that has no more time": {
			"limit ready 5s|program web restart=no ready=notify|behave web lives=500ms+code=3|apply|stall web/1 20s|wait 30s",
			"web/1.1 ended: exit status 3", "not ready within",
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 { // which comes first is by chance
				synctest.Test(t, func(t *testing.T) {
					s := newStage(t)
					for command := range strings.SplitSeq(test.script, "|") {
						if err := s.do(strings.Fields(command)); err != nil {
							t.Fatalf("%s: %v", command, err)
						}
					}
					if got := s.take(); !strings.Contains(got, test.want) || strings.Contains(got, test.never) {
						t.Errorf("want %q and never %q; got\n%s", test.want, test.never, got)
					}
				})
				if t.Failed() {
					return
				}
			}
		})
	}
}
