package report_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/dserver/dserver/bench/internal/report"
	"github.com/dserver/dserver/bench/internal/result"
)

var rewrite = flag.Bool("rewrite", false, "write what is reported to testdata")

// same compares a text with a file of testdata.
func same(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s\n(-rewrite changes %s)", got, want, path)
	}
}

// rounds adds one measurement of each rate.
func rounds(s *result.Set, r result.Run, rates ...float64) {
	for i, rate := range rates {
		r.Round, r.Rate = i+1, rate
		s.Add(r)
	}
}

const mib = 1 << 20

func TestTable(t *testing.T) {
	var s result.Set
	const crowd, push, idle = "call:record:100:1", "push:16B:16:1", "idle:record:1:5000"
	rounds(&s, result.Run{Peer: "dserver", Cell: crowd, P50: 840, P99: 3900, CPU: 16.54, AllocsClient: 51, AllocsServer: 53,
		RSSServer: 40 * mib, Switches: 0.25, Writes: 0.1}, 90_000, 95_000, 80_000)
	rounds(&s, result.Run{Peer: "ceil-pb-go", Cell: crowd, P50: 800, P99: 3000, CPU: 15}, 100_000)
	rounds(&s, result.Run{Peer: "arpc-tuned", Cell: crowd, P50: 1500, P99: 6000, CPU: 24}, 60_000, 60_000)
	rounds(&s, result.Run{Peer: "grpc", Cell: crowd, P50: 2900, P99: 9900, CPU: 50, Errors: 2, FirstError: "wrong answer"}, 30_000)
	rounds(&s, result.Run{Peer: "dserver", Cell: push, CPU: 3, Calls: 10, Lost: 5}, 1_000_000)
	rounds(&s, result.Run{Peer: "dserver", Cell: idle, Connection: 12 * 1024, ConnectionCollected: 11 * 1024, ConnectionGoroutines: 1}, 3000)
	rounds(&s, result.Run{Peer: "arpc", Cell: idle, Connection: 8 * 1024, ConnectionCollected: 7 * 1024, ConnectionGoroutines: 2}, 2000)
	s.Fail("rpcx", crowd, errors.New("the server does not answer"))
	var out bytes.Buffer
	if err := errors.Join(report.Table(&out, &s), report.Remarks(&out, &s)); err != nil {
		t.Fatal(err)
	}
	same(t, "table.txt", out.Bytes())
}

func TestNothingMakesNoTable(t *testing.T) {
	var out bytes.Buffer
	if err := report.Table(&out, new(result.Set)); err != nil || out.Len() > 0 {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

// reached is a set in which our peers do just what targets want of them.
func reached() *result.Set {
	s := new(result.Set)
	add := func(cell, peer string, r result.Run) {
		r.Cell, r.Peer = cell, peer
		s.Add(r)
	}
	const crowd, eight = "call:record:100:1", "call:record:100:8"
	add(crowd, "ceil-pb-go", result.Run{Rate: 100_000, CPU: 1})
	add(crowd, "ceil-yield", result.Run{Rate: 500_000, CPU: 1})
	add(crowd, "arpc-tuned", result.Run{Rate: 64_285, CPU: 20})
	add(crowd, "kitex-thrift-mux", result.Run{Rate: 50_000, CPU: 30})
	add(crowd, "grpc", result.Run{Rate: 33_333, CPU: 50})
	add(crowd, "dserver", result.Run{Rate: 90_000, CPU: 15, AllocsClient: 55, AllocsServer: 55})
	add(crowd, "dserver-bytes", result.Run{Rate: 300_000, AllocsClient: 3, AllocsServer: 3})
	add(eight, "ceil-pb-go", result.Run{Rate: 80_000})
	add(eight, "ceil-c-pb-go", result.Run{Rate: 100_000})
	add(eight, "rpcx", result.Run{Rate: 65_384})
	add(eight, "dserver", result.Run{Rate: 85_000})
	add("call:record:1:1", "arpc", result.Run{P50: 80})
	add("call:record:1:1", "dserver", result.Run{P50: 80})
	add("call:16B:100:1", "arpc-tuned", result.Run{Rate: 80_000})
	add("call:16B:100:1", "dserver", result.Run{Rate: 160_000})
	add("call:64KiB:16:1", "kitex-thrift-mux", result.Run{Rate: 7000})
	add("call:64KiB:16:1", "dserver", result.Run{Rate: 7701, RSSServer: 70 * mib})
	add("call:64KiB:100:1", "dserver", result.Run{RSSServer: 100 * mib})
	add("push:record:16:1", "arpc-tuned", result.Run{Rate: 280_000})
	add("push:record:16:1", "dserver-inline", result.Run{Rate: 280_000})
	add("push:record:16:1", "dserver-bytes-inline", result.Run{Rate: 1e6})
	add("idle:record:1:5000", "dserver", result.Run{Connection: 12 * 1024})
	return s
}

func TestVerdicts(t *testing.T) {
	terms := report.Terms{Codec: 52}
	verdicts := report.Judge(reached(), terms)
	for _, v := range verdicts {
		if !v.Measured || !v.Pass {
			t.Errorf("%v: what is just enough is not", v)
		}
	}
	var out bytes.Buffer
	if err := report.Verdicts(&out, verdicts, terms); err != nil {
		t.Fatal(err)
	}
	same(t, "verdicts.txt", out.Bytes())
}

// worse makes everything of our peers worse by a factor.
func worse(factor float64) *result.Set {
	s, changed := reached(), new(result.Set)
	for _, cell := range s.Cells() {
		for _, peer := range s.Peers(cell) {
			for _, r := range s.Runs(peer, cell) {
				if peer[:1] == "d" {
					r.Rate, r.P50, r.CPU = r.Rate/factor, r.P50*factor, r.CPU*factor
					r.RSSServer, r.Connection = int64(float64(r.RSSServer)*factor), r.Connection*factor
					r.AllocsClient, r.AllocsServer = r.AllocsClient*factor, r.AllocsServer*factor
				}
				changed.Add(r)
			}
		}
	}
	return changed
}

func TestHalfIsEnoughForTheGenerous(t *testing.T) {
	if missed := report.Missed(report.Judge(worse(1.01), report.Terms{Codec: 52})); len(missed) != len(report.Targets()) {
		t.Errorf("%d of %d targets were missed, although all are", len(missed), len(report.Targets()))
	}
	generous := report.Terms{Codec: 52, Generous: true}
	for _, v := range report.Missed(report.Judge(worse(1.05), generous)) {
		t.Errorf("%v: it is no half of the target", v)
	}
	if missed := report.Missed(report.Judge(worse(2.1), generous)); len(missed) != len(report.Targets()) {
		t.Errorf("%d of %d targets were missed, although all are, and by more than half", len(missed), len(report.Targets()))
	}
}

// TestWhatWasNotMeasuredIsNotMissed: a part of the peers can be measured alone.
func TestWhatWasNotMeasuredIsNotMissed(t *testing.T) {
	var s result.Set
	s.Add(result.Run{Peer: "dserver", Cell: "call:record:100:1", AllocsClient: 1, AllocsServer: 100})
	terms := report.Terms{Codec: 52}
	verdicts := report.Judge(&s, terms)
	passed := 0
	for _, v := range verdicts {
		if v.Pass {
			passed++
		}
	}
	if missed := report.Missed(verdicts); len(missed) != 1 || passed != 1 {
		t.Errorf("%d passed and %v were missed; want one each, those that need nothing else", passed, missed)
	}
	var out bytes.Buffer
	if err := report.Verdicts(&out, verdicts, terms); err != nil {
		t.Fatal(err)
	}
	same(t, "few.txt", out.Bytes())
}
