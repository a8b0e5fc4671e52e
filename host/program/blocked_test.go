package program

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/dserver/dserver/host/config"
)

// TestWhatWasMissingIsLookedAtAgain: web waits for db, which is stopped, and behind
// the lock of whoever starts both it is the first to hear of that.
func TestWhatWasMissingIsLookedAtAgain(t *testing.T) {
	for name, then := range map[string]func(s *stage){
		"it comes":            func(*stage) {},
		"it is stopped again": func(s *stage) { s.command("stop", []string{"db"}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				s.set.options.Outside = func(context.Context, string, config.Condition) error { return nil }
				db, web := definition("db"), definition("web")
				db.Autostart = false
				web.Needs = []config.Need{{Name: "worker", Condition: config.NeedReady}, {Name: "db", Condition: config.NeedReady}}
				if r := s.set.Apply(t.Context(), []config.Program{db, web}, nil, nil, nil); r[1].Err == nil {
					t.Fatalf("nothing is missing: %+v", r)
				}
				still, thaw := make(chan struct{}), make(chan struct{})
				s.set.mu.Lock()
				s.set.find("db").units[0].tell(pause{still: still, thaw: thaw})
				s.set.mu.Unlock()
				<-still
				answer := make(chan Result, 1)
				s.group.Go("start", func(context.Context) { answer <- s.set.Start(t.Context(), []string{"web"})[0] })
				synctest.Wait()
				early := len(answer) > 0
				then(s)
				close(thaw)
				if r := <-answer; early || (r.Err == nil) != (name == "it comes") {
					t.Errorf("got %+v, before db could begin: %v", r, early)
				}
			})
		})
	}
}
