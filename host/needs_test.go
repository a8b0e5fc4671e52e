package host

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/host/config"
)

// planOf makes a plan from lines of "name: what it needs"; a capital begins the
// name of a worker.
func planOf(mode config.Mode, lines string) *plan {
	c := &config.Config{Mode: mode}
	for line := range strings.SplitSeq(lines, "; ") {
		name, list, _ := strings.Cut(line, ":")
		var needs []config.Need
		for _, n := range strings.Fields(list) {
			needs = append(needs, config.Need{Name: n, Condition: config.NeedReady})
		}
		if strings.ToLower(name) != name {
			c.Workers = append(c.Workers, config.Worker{Name: name, Instances: 1, Needs: needs})
			c.Sandboxes = append(c.Sandboxes, config.Sandbox{Name: strings.ToLower(name), Worker: name})
		} else {
			c.Programs = append(c.Programs, config.Program{Name: name, Needs: needs})
		}
	}
	return &plan{config: c}
}

// Who needs something stops before it, programs and workers in any mixture. A
// worker in single mode is all of them.
func TestStopSteps(t *testing.T) {
	for _, tt := range []struct{ lines, multi, single string }{
		{"a", "a", "a main"},
		{"A; B", "A B", "main"},
		{"A; a", "a A", "a main"},              // they have nothing to do with each other
		{"A: a; a", "A", "main"},               // a stops at the end
		{"A; a: A", "a | A", "a | main"},       //
		{"A: B; B", "A | B", "main"},           //
		{"a: A; A: b; b", "a | A", "a | main"}, //
		{"a: b; b: A; A", "a | b | A", "a | b | main"},
		{"A: a; a: B; B: b; b; c", "c A | a | B", "a c | main"}, // in single mode A stops too late for a
		{"A: a; a: b; b; B", "A B", "main"},
		{"a: A B; A; B: A", "a | B | A", "a | main"},
	} {
		for mode, want := range map[config.Mode]string{config.Multi: tt.multi, config.Single: tt.single} {
			var got []string
			for _, s := range planOf(mode, tt.lines).stopSteps() {
				got = append(got, strings.TrimSpace(strings.Join(s.programs, " ")+" "+strings.Join(s.workers, " ")))
			}
			if text := strings.Join(got, " | "); text != want {
				t.Errorf("%s in %s mode: stops %q, want %q", tt.lines, mode, text, want)
			}
		}
	}
}

// Workers start after what they need; in single mode all of them after all that.
func TestStartWaves(t *testing.T) {
	for _, tt := range []struct{ lines, multi, single string }{
		{"A; B", "A B", "main"},
		{"A: a; a; B", "B | A", " | main"},
		{"A: B; B: a; a; C", "C | B | A", " | main"},
		{"A: a; a: B; B", "B | A", "main"},
	} {
		for mode, want := range map[config.Mode]string{config.Multi: tt.multi, config.Single: tt.single} {
			p := planOf(mode, tt.lines)
			var got []string
			for _, wave := range p.startWaves(p.workloads()) {
				var names []string
				for _, w := range wave {
					names = append(names, w.Worker)
				}
				got = append(got, strings.Join(names, " "))
			}
			if text := strings.Join(got, " | "); text != want {
				t.Errorf("%s in %s mode: starts %q, want %q", tt.lines, mode, text, want)
			}
		}
	}
}

// Who waits for a worker hears of it however the last steps of its start and the
// looks at it are mixed: a generation serves before its slot holds it.
func TestAwaitedWorkerIsNotMissed(t *testing.T) {
	for range 300 {
		f, r := fakeFleet(t, behaviour{})
		work := fakeWork(t, 1)
		p := planOf(config.Multi, "W")
		p.config.Workers[0].Name, p.config.Sandboxes[0].Worker = work[0].Worker, work[0].Worker
		m := &master{events: f.events, fleet: f, plan: p}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		heard := make(chan error, 4)
		for range cap(heard) {
			f.group.Go("waiter", func(context.Context) { heard <- m.awaitWorker(ctx, work[0].Worker, config.NeedReady) })
		}
		begin(t, f, r, work)
		for range cap(heard) {
			if err := <-heard; err != nil {
				t.Fatal(err)
			}
		}
		cancel()
	}
}
