package supervise

import (
	"encoding/json"
	"reflect"
	"syscall"
	"testing"
	"time"
)

// run is a run of so long from a moment on.
func run(from time.Time, long time.Duration, exit Exit) Run {
	return Run{Started: from, Ended: from.Add(long), Exit: exit}
}

func TestPolicyDecidesWhatIsStartedAgain(t *testing.T) {
	from := time.Unix(1000, 0)
	signal, unknown := Exit{Code: -1, Signal: syscall.SIGTERM}, Exit{Code: -1, Unknown: true}
	for _, test := range []struct {
		name     string
		policy   Policy
		expected []int
		exit     Exit
		failed   bool
		again    bool
		fatal    string
	}{
		{"the zero value", "", nil, Exit{}, false, false, ""},
		{"no, success", Never, nil, Exit{}, false, false, ""},
		{"no, failure", Never, nil, Exit{Code: 3}, false, false, "exit status 3"},
		{"no, expected", Never, []int{3}, Exit{Code: 3}, false, false, ""},
		{"no, expected but failed", Never, nil, Exit{}, true, false, "exit status 0"},
		{"no, 0 is not among the expected", Never, []int{3}, Exit{}, false, false, "exit status 0"},
		{"no, signal", Never, []int{-1}, signal, false, false, "signal: terminated"},
		{"on failure, success", OnFailure, nil, Exit{}, false, false, ""},
		{"on failure, failure", OnFailure, nil, Exit{Code: 1}, false, true, ""},
		{"on failure, expected", OnFailure, []int{0, 1}, Exit{Code: 1}, false, false, ""},
		{"on failure, 0 is not among the expected", OnFailure, []int{1}, Exit{}, false, true, ""},
		{"on failure, signal", OnFailure, nil, signal, false, true, ""},
		{"on failure, unknown", OnFailure, nil, unknown, false, true, ""},
		{"on failure, failed", OnFailure, nil, Exit{}, true, true, ""},
		{"always, success", Always, nil, Exit{}, false, true, ""},
		{"always, failure", Always, nil, Exit{Code: 1}, false, true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := Restarts{Policy: test.policy, Expected: test.expected}
			ended := run(from, time.Second, test.exit)
			ended.Failed = test.failed
			got := r.Next(ended)
			if want := (Decision{Again: test.again, Fatal: test.fatal}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// loop runs a process that fails at once until it is given up, and counts.
func loop(r *Restarts, now time.Time, most int) (starts int, took time.Duration, fatal string) {
	began := now
	for starts < most {
		starts++
		d := r.Next(run(now, time.Millisecond, Exit{Code: 1}))
		now = now.Add(time.Millisecond)
		if !d.Again {
			return starts, now.Sub(began), d.Fatal
		}
		now = now.Add(d.After)
	}
	return starts, now.Sub(began), ""
}

func TestStartLimitGivesUp(t *testing.T) {
	for _, limit := range []int{1, 2, 5, 10} {
		r := Restarts{Policy: Always, Limit: limit, Backoff: Backoff{Max: time.Second}}
		starts, _, fatal := loop(&r, time.Unix(1000, 0), 100)
		if starts != limit || fatal == "" {
			t.Errorf("limit %d: %d starts, %q", limit, starts, fatal)
		}
	}
	r := Restarts{Policy: Always, Limit: 3, Window: 20 * time.Second}
	if _, _, got := loop(&r, time.Unix(1000, 0), 100); got != "3 starts within 20s, the last one ended with exit status 1" {
		t.Errorf("the reason is %q", got)
	}
}

func TestNoLimitGoesOnForEver(t *testing.T) {
	r := Restarts{Policy: OnFailure}
	if starts, _, fatal := loop(&r, time.Unix(1000, 0), 10_000); starts != 10_000 || fatal != "" {
		t.Errorf("%d starts, %q", starts, fatal)
	}
	if len(r.starts) != 0 {
		t.Errorf("%d starts are remembered", len(r.starts))
	}
}

// Starts that are further apart than the window are not many.
func TestStartsOutsideTheWindowDoNotCount(t *testing.T) {
	r := Restarts{Policy: Always, Limit: 3, Window: 10 * time.Second}
	now := time.Unix(1000, 0)
	for i := range 100 {
		d := r.Next(run(now, 5*time.Second, Exit{Code: 1}))
		if !d.Again {
			t.Fatalf("given up after %d runs: %s", i+1, d.Fatal)
		}
		now = now.Add(5*time.Second + max(d.After, time.Second))
	}
}

// What counts is when the next start would be, so a long wait makes room.
func TestWaitCountsForTheWindow(t *testing.T) {
	r := Restarts{Policy: Always, Limit: 2, Window: 10 * time.Second, Backoff: Backoff{Min: 11 * time.Second, Jitter: -1}}
	now := time.Unix(1000, 0)
	if d := r.Next(run(now, 0, Exit{})); !d.Again || d.After != 0 {
		t.Fatalf("%+v", d)
	}
	if d := r.Next(run(now, 0, Exit{})); !d.Again || d.After != 11*time.Second {
		t.Fatalf("%+v", d)
	}
}

func TestRowBeginsAnewAfterAStableRun(t *testing.T) {
	r := Restarts{Policy: Always, Backoff: Backoff{Jitter: -1}}
	now := time.Unix(1000, 0)
	for i, want := range []time.Duration{0, 100 * time.Millisecond, 200 * time.Millisecond} {
		if d := r.Next(run(now, 0, Exit{})); d.After != want {
			t.Errorf("wait %d is %v", i, d.After)
		}
	}
	if d := r.Next(run(now, 10*time.Second, Exit{})); d.After != 0 {
		t.Errorf("after a stable run: %v", d.After)
	}
}

func TestResetForgets(t *testing.T) {
	r := Restarts{Policy: Always, Limit: 2}
	loop(&r, time.Unix(1000, 0), 10)
	r.Reset()
	if starts, _, _ := loop(&r, time.Unix(1001, 0), 10); starts != 2 {
		t.Errorf("%d starts after the reset", starts)
	}
}

func TestCountsSurviveAChangeOfMaster(t *testing.T) {
	settings := Restarts{Policy: Always, Limit: 5, Backoff: Backoff{Jitter: -1}}
	now, one := time.Now(), settings
	for range 4 {
		if d := one.Next(run(now, 0, Exit{})); !d.Again {
			t.Fatalf("%+v", d)
		}
	}
	text, err := json.Marshal(one.Counts())
	if err != nil {
		t.Fatal(err)
	}
	var counts Counts
	if err := json.Unmarshal(text, &counts); err != nil {
		t.Fatal(err)
	}
	other := settings
	other.Resume(counts)
	first, second := one.Next(run(now, 0, Exit{})), other.Next(run(now, 0, Exit{}))
	if !reflect.DeepEqual(first, second) || first.Fatal == "" {
		t.Errorf("the old one says %+v, the new one %+v", first, second)
	}
}

// Settings are changed while it counts.
func TestSettingsChangeWhileItCounts(t *testing.T) {
	r := Restarts{Policy: Always, Limit: 10}
	now := time.Unix(1000, 0)
	for range 3 {
		r.Next(run(now, 0, Exit{}))
	}
	r.Limit = 4
	if d := r.Next(run(now, 0, Exit{})); d.Fatal == "" {
		t.Errorf("%+v", d)
	}
}
