package main

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/bench/internal/cell"
	"github.com/dserver/dserver/bench/internal/peer"
	"github.com/dserver/dserver/bench/internal/report"
	"github.com/dserver/dserver/bench/internal/result"
	"github.com/dserver/dserver/bench/internal/roster"
)

func chosen(t *testing.T, args ...string) options {
	t.Helper()
	o, err := parseOptions(args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestDefaults(t *testing.T) {
	if o := chosen(t); o.rounds != 3 || o.time != 2500*time.Millisecond || o.warm() != 300*time.Millisecond {
		t.Errorf("got %+v", o)
	}
	if o := chosen(t, "-quick"); o.time != 300*time.Millisecond {
		t.Errorf("got %+v", o)
	}
	if o := chosen(t, "-quick", "-time", "10ms"); o.time != 10*time.Millisecond || o.warm() != 10*time.Millisecond {
		t.Errorf("got %+v", o)
	}
}

func TestBadOptions(t *testing.T) {
	for _, args := range [][]string{{"x"}, {"-rounds", "0"}, {"-time", "-1s"}, {"-time", "1us"}, {"-peer", "("}, {"-cell", "("}, {"-no"}} {
		var said bytes.Buffer
		if _, err := parseOptions(args, &said); err == nil || said.Len() == 0 {
			t.Errorf("%q: got %v, said %q", args, err, said.String())
		}
	}
}

// TestThePlan: without a choice all peers are measured in the usual cells; a choice of
// cells is one among all there are.
func TestThePlan(t *testing.T) {
	rows, err := chosen(t).plan()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(cell.Standard()) {
		t.Errorf("%d cells, want %d", len(rows), len(cell.Standard()))
	}
	for _, r := range rows {
		if !slices.Equal(r.peers, roster.Names()) {
			t.Errorf("%v has %q", r.cell, r.peers)
		}
	}
	rows, err = chosen(t, "-peer", "^arpc", "-cell", "64KiB:1:1$").plan()
	if err != nil || len(rows) != 1 || rows[0].cell.String() != "call:64KiB:1:1" || !slices.Equal(rows[0].peers, []string{"arpc", "arpc-tuned"}) {
		t.Errorf("got %v, %v", rows, err)
	}
	if _, err := chosen(t, "-peer", "nobody").plan(); err == nil || !strings.Contains(err.Error(), "arpc-tuned") {
		t.Errorf("got %v, want the names of all peers", err)
	}
}

// TestQuickMeasuresWhatTargetsNeed, and nothing else.
func TestQuickMeasuresWhatTargetsNeed(t *testing.T) {
	rows, err := chosen(t, "-quick").plan()
	if err != nil {
		t.Fatal(err)
	}
	measured := make(map[string]bool)
	for _, r := range rows {
		for _, p := range r.peers {
			measured[r.cell.String()+p] = true
		}
	}
	needed := make(map[string]bool)
	for _, target := range report.Targets() {
		for _, p := range target.Peers() {
			if key := target.Cell + p; slices.Contains(roster.Names(), p) {
				needed[key] = true
				if !measured[key] {
					t.Errorf("%s is not measured", key)
				}
			}
		}
	}
	if len(measured) != len(needed) {
		t.Errorf("%d are measured, %d are needed", len(measured), len(needed))
	}
}

// TestTargetsAreAboutWhatThereIs: a name that is written wrong would never be missed.
func TestTargetsAreAboutWhatThereIs(t *testing.T) {
	known := append(roster.Names(), "dserver-inline", "dserver-bytes-inline")
	var cells []string
	for _, c := range cell.Standard() {
		cells = append(cells, c.String())
	}
	for _, target := range report.Targets() {
		if !slices.Contains(cells, target.Cell) {
			t.Errorf("there is no cell %s", target.Cell)
		}
		for _, p := range target.Peers() {
			if !slices.Contains(known, p) {
				t.Errorf("there is no peer %s", p)
			}
		}
	}
}

func TestKindsOfPeers(t *testing.T) {
	want := map[peer.Kind]int{peer.Ours: 2, peer.Ceiling: 3, peer.Others: 6}
	got := make(map[peer.Kind]int)
	for _, name := range roster.Names() {
		got[peer.KindOf(name)]++
	}
	if got[peer.Ours] != want[peer.Ours] && got[peer.Ours] != 2*want[peer.Ours] || got[peer.Ceiling] != want[peer.Ceiling] || got[peer.Others] != want[peer.Others] {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestFailures: our own calls fail never, others' may; with -quick targets count.
func TestFailures(t *testing.T) {
	missed := []report.Verdict{{Measured: true, Target: report.Targets()[0]}}
	tests := []struct {
		name     string
		quick    bool
		run      result.Run
		failed   string
		verdicts []report.Verdict
		want     string
	}{
		{name: "nothing"},
		{name: "an error of ours", run: result.Run{Peer: "dserver", Errors: 1, FirstError: "wrong answer"}, want: "wrong answer"},
		{name: "an error of a ceiling", run: result.Run{Peer: "ceil-yield", Errors: 1}, want: "ceil-yield"},
		{name: "an error of others", run: result.Run{Peer: "grpc", Errors: 1}},
		{name: "we cannot be measured", failed: "dserver", want: "broken"},
		{name: "others cannot be measured", failed: "grpc"},
		{name: "missed", verdicts: missed},
		{name: "missed, quick", quick: true, verdicts: missed, want: "call:record:100:1"},
		{name: "met, quick", quick: true, verdicts: []report.Verdict{{Measured: true, Pass: true}}},
		{name: "not measured, quick", quick: true, verdicts: []report.Verdict{{}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := bench{options: options{quick: test.quick}}
			b.set.Add(test.run)
			if test.failed != "" {
				b.set.Fail(test.failed, "cell", errors.New("broken"))
			}
			err := b.failures(test.verdicts)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want one with %q", err, test.want)
			}
		})
	}
}
