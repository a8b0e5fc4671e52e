package main

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/dserver/dserver/bench/internal/load"
	"github.com/dserver/dserver/bench/internal/peer"
	"github.com/dserver/dserver/bench/internal/result"
)

// machine is one on which our peers reach all targets, as long as nothing disturbs them.
// Real noise comes when it likes.
type machine struct {
	took      map[string]int               // measurements, by cell and peer
	disturbed func(key string, n int) bool // the nth measurement, from 1
}

func (m *machine) take(_ context.Context, plan load.Plan) (result.Run, error) {
	key := plan.Cell.String() + " " + plan.Peer
	m.took[key]++
	r := result.Run{Peer: plan.Peer, Cell: plan.Cell.String(), Rate: 1e6, P50: 100, CPU: 10}
	if peer.KindOf(plan.Peer) == peer.Ours {
		r.Rate, r.P50, r.CPU = 4e6, 10, 1
	}
	if m.disturbed(key, m.took[key]) {
		r.Rate = 1
	}
	return r, nil
}

// TestMissedTargetsAreMeasuredAgain: with -quick noise is no miss and a regression is one,
// and only cells with a missed target take more time.
func TestMissedTargetsAreMeasuredAgain(t *testing.T) {
	const (
		cell = "call:16B:100:1"
		key  = cell + " dserver"
	)
	tests := []struct {
		name      string
		args      []string
		disturbed func(n int) bool
		fails     bool
		took      int // measurements of each peer of the cell
	}{
		{"quiet", []string{"-quick"}, func(int) bool { return false }, false, 3},
		{"one bad round", []string{"-quick"}, func(n int) bool { return n == 2 }, false, 3},
		{"noise", []string{"-quick"}, func(n int) bool { return n <= 3 }, false, 9},
		{"noise at both looks", []string{"-quick"}, func(n int) bool { return n%3 > 0 && n < 6 }, false, 9},
		{"most rounds are bad", []string{"-quick"}, func(n int) bool { return n < 6 }, true, 9},
		{"a regression", []string{"-quick"}, func(int) bool { return true }, true, 9},
		{"a regression, one round", []string{"-quick", "-rounds", "1"}, func(int) bool { return true }, true, 3},
		{"targets do not count", nil, func(int) bool { return true }, false, 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := &machine{make(map[string]int), func(k string, n int) bool { return k == key && test.disturbed(n) }}
			b := &bench{options: chosen(t, test.args...), out: io.Discard, progress: io.Discard, take: m.take}
			err := b.run(t.Context())
			if (err != nil) != test.fails || err != nil && !strings.Contains(err.Error(), "dserver in "+cell) {
				t.Errorf("got %v, want that it fails: %v", err, test.fails)
			}
			for k, n := range m.took {
				want := b.rounds
				if strings.HasPrefix(k, cell+" ") {
					want = test.took
				}
				if n != want {
					t.Errorf("%s was measured %d times, want %d", k, n, want)
				}
			}
		})
	}
}
