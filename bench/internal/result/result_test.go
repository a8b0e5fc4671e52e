package result_test

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/dserver/dserver/bench/internal/result"
	"github.com/dserver/dserver/bench/internal/usage"
)

func TestMedian(t *testing.T) {
	tests := []struct {
		list []float64
		want float64
	}{
		{nil, math.NaN()}, {[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{9, 1, 2}, 2}, {[]float64{9, 1, 2, 4}, 3},
	}
	for _, test := range tests {
		before := slices.Clone(test.list)
		got := result.Median(test.list)
		if got != test.want && !(math.IsNaN(got) && math.IsNaN(test.want)) {
			t.Errorf("the median of %v is %v, want %v", test.list, got, test.want)
		}
		if !slices.Equal(before, test.list) {
			t.Errorf("%v became %v", before, test.list)
		}
	}
}

func TestSet(t *testing.T) {
	var s result.Set
	rate := func(r result.Run) float64 { return r.Rate }
	if v := s.Median("a", "x", rate); !math.IsNaN(v) {
		t.Errorf("the median of nothing is %v", v)
	}
	if least, most := s.Range("a", "x", rate); !math.IsNaN(least) || !math.IsNaN(most) {
		t.Errorf("nothing goes from %v to %v", least, most)
	}
	s.Add(result.Run{Peer: "b", Cell: "y", Rate: 1})
	s.Add(result.Run{Peer: "b", Cell: "x", Rate: 30})
	s.Add(result.Run{Peer: "a", Cell: "x", Rate: 10})
	s.Add(result.Run{Peer: "b", Cell: "x", Rate: 20})
	s.Add(result.Run{Peer: "b", Cell: "x", Rate: 70})
	s.Fail("c", "x", errors.New("gone"))
	if got := s.Cells(); !slices.Equal(got, []string{"y", "x"}) {
		t.Errorf("cells are %v", got)
	}
	if got := s.Peers("x"); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("peers are %v", got)
	}
	if v := s.Median("b", "x", rate); v != 30 {
		t.Errorf("the median is %v, want 30", v)
	}
	if least, most := s.Range("b", "x", rate); least != 20 || most != 70 {
		t.Errorf("from %v to %v, want 20 to 70", least, most)
	}
	if len(s.Failed) != 1 || s.Failed[0].Peer != "c" {
		t.Errorf("failed: %v", s.Failed)
	}
}

func TestAccount(t *testing.T) {
	before := result.Sides{
		Client: usage.Usage{CPU: time.Second, Switches: 10, Writes: 100, Objects: 1000, Bytes: 10_000},
		Server: usage.Usage{CPU: 2 * time.Second, Switches: 20, Writes: 200, Objects: 2000, Bytes: 20_000},
	}
	after := result.Sides{
		Client: usage.Usage{CPU: 2 * time.Second, Switches: 30, Writes: 110, Objects: 1300, Bytes: 11_000, RSS: 5},
		Server: usage.Usage{CPU: 4 * time.Second, Switches: 25, Writes: 220, Objects: 2400, Bytes: 22_000, RSS: 6},
	}
	var r result.Run
	r.Account(before, after, 10)
	r.Count(50, 2*time.Second)
	want := result.Run{
		Seconds: 2, Calls: 50, Rate: 25, CPUClient: 100_000, CPUServer: 200_000, CPU: 300_000,
		AllocsClient: 30, AllocsServer: 40, BytesClient: 100, BytesServer: 200,
		SwitchesClient: 2, SwitchesServer: 0.5, Switches: 2.5, WritesClient: 1, WritesServer: 2, Writes: 3,
		RSSServer: 6, RSSClient: 5,
	}
	if r != want {
		t.Errorf("got  %+v\nwant %+v", r, want)
	}
	r = result.Run{}
	r.Account(before, after, 0)
	r.Count(0, 0)
	if math.IsInf(r.CPU, 0) || r.Rate != 0 {
		t.Errorf("without a call: %+v", r)
	}
}

func TestMicros(t *testing.T) {
	if v := result.Micros(1500 * time.Nanosecond); v != 1.5 {
		t.Errorf("got %v, want 1.5", v)
	}
}
