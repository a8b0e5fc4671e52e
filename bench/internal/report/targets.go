package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/dserver/dserver/bench/internal/result"
)

// The cells and peers that targets are about.
const (
	recordAlone = "call:record:1:1"
	recordCrowd = "call:record:100:1"
	recordEight = "call:record:100:8"
	smallCrowd  = "call:16B:100:1"
	largeSome   = "call:64KiB:16:1"
	largeCrowd  = "call:64KiB:100:1"
	recordPush  = "push:record:16:1"
	manyIdle    = "idle:record:1:5000"

	proto       = "dserver"
	protoInline = "dserver-inline"
	plain       = "dserver-bytes"
	plainInline = "dserver-bytes-inline"
	ceilYield   = "ceil-yield"
	ceilCombine = "ceil-c-pb-go"
	kitex       = "kitex-thrift-mux"
	arpc        = "arpc"
	arpcTuned   = "arpc-tuned"
	grpc        = "grpc"
)

// others are the peers that are no ceilings.
func others() []string { return []string{kitex, arpc, arpcTuned, grpc, "rpcx", "net-rpc"} }

// Target is what one of our peers is to reach in a cell. The bound is a multiple of what
// the best of some bases reaches, or of what the codec costs, and something more.
type Target struct {
	Peer, Cell string
	metric     metric
	most       bool // the bound is the most, not the least
	factor     float64
	of         []string // the bases
	codec      bool     // or the codec's allocations
	more       float64
}

type metric struct {
	name   string
	digits int
	get    func(result.Run) float64
}

func rates() metric { return metric{"rate/s", 0, rate} }
func p50s() metric  { return metric{"p50 us", 0, func(r result.Run) float64 { return r.P50 }} }
func cpus() metric  { return metric{"CPU s/M", 1, func(r result.Run) float64 { return r.CPU }} }
func rsss() metric {
	return metric{"RSS MiB", 0, func(r result.Run) float64 { return float64(r.RSSServer) / mib }}
}
func clientAllocs() metric {
	return metric{"allocs of the client", 1, func(r result.Run) float64 { return r.AllocsClient }}
}
func serverAllocs() metric {
	return metric{"allocs of the server", 1, func(r result.Run) float64 { return r.AllocsServer }}
}
func connections() metric { return metric{"KiB each", 1, connection} }

// Targets lists them all.
func Targets() []Target {
	return []Target{
		{Peer: proto, Cell: recordCrowd, metric: rates(), factor: 0.9, of: []string{Base}},
		{Peer: proto, Cell: recordCrowd, metric: rates(), factor: 1.4, of: []string{kitex, arpcTuned}},
		{Peer: proto, Cell: recordCrowd, metric: rates(), factor: 2.7, of: []string{grpc}},
		{Peer: plain, Cell: recordCrowd, metric: rates(), factor: 0.6, of: []string{ceilYield}},
		{Peer: proto, Cell: smallCrowd, metric: rates(), factor: 2, of: []string{arpcTuned}},
		{Peer: proto, Cell: recordAlone, metric: p50s(), most: true, factor: 1, of: []string{arpc}},
		{Peer: proto, Cell: recordEight, metric: rates(), factor: 0.85, of: []string{Base, ceilCombine}},
		{Peer: proto, Cell: recordEight, metric: rates(), factor: 1.3, of: others()},
		{Peer: proto, Cell: largeSome, metric: rates(), factor: 1.1, of: []string{kitex}},
		{Peer: proto, Cell: largeSome, metric: rsss(), most: true, more: 70},
		{Peer: proto, Cell: largeCrowd, metric: rsss(), most: true, more: 100},
		{Peer: protoInline, Cell: recordPush, metric: rates(), factor: 1, of: []string{arpcTuned}},
		{Peer: plainInline, Cell: recordPush, metric: rates(), more: 1e6},
		{Peer: proto, Cell: recordCrowd, metric: clientAllocs(), most: true, codec: true, more: 3},
		{Peer: proto, Cell: recordCrowd, metric: serverAllocs(), most: true, codec: true, more: 3},
		{Peer: plain, Cell: recordCrowd, metric: clientAllocs(), most: true, more: 3},
		{Peer: plain, Cell: recordCrowd, metric: serverAllocs(), most: true, more: 3},
		{Peer: proto, Cell: recordCrowd, metric: cpus(), most: true, factor: 0.75, of: others()},
		{Peer: proto, Cell: manyIdle, metric: connections(), most: true, more: 12},
	}
}

// Peers lists the peers that must be measured in the target's cell.
func (t Target) Peers() []string { return append([]string{t.Peer}, t.of...) }

// Terms are how targets are judged.
type Terms struct {
	Codec    float64 // allocations of the codec on either side of a call with a record
	Generous bool    // half of a target is enough
}

// Verdict is how a target was met.
type Verdict struct {
	Target   Target
	Measured bool // the peer, and at least one base
	Pass     bool
	Bound    float64
	Base     string  // the best one; empty if the bound is a figure by itself
	BaseGot  float64 // what that reached
	Got      float64
}

// Judge compares what was measured with all targets.
func Judge(s *result.Set, terms Terms) []Verdict {
	var list []Verdict
	for _, t := range Targets() {
		list = append(list, t.judge(s, terms))
	}
	return list
}

func (t Target) judge(s *result.Set, terms Terms) Verdict {
	v := Verdict{Target: t, Got: s.Median(t.Peer, t.Cell, t.metric.get)}
	if len(t.of) > 0 {
		v.Base, v.BaseGot = t.best(s)
	}
	v.Bound = t.factor*v.BaseGot + t.more
	switch {
	case terms.Generous && t.most:
		v.Bound *= 2
	case terms.Generous:
		v.Bound /= 2
	}
	if t.codec {
		v.Bound += terms.Codec // which costs the same for everybody
	}
	v.Measured = !math.IsNaN(v.Got) && !math.IsNaN(v.Bound)
	v.Pass = v.Measured && (t.most && v.Got <= v.Bound || !t.most && v.Got >= v.Bound)
	return v
}

// best gives the base that is hardest to reach.
func (t Target) best(s *result.Set) (name string, value float64) {
	value = math.NaN()
	for _, p := range t.of {
		v := s.Median(p, t.Cell, t.metric.get)
		if math.IsNaN(v) {
			continue
		}
		if math.IsNaN(value) || t.most && v < value || !t.most && v > value {
			name, value = p, v
		}
	}
	return name, value
}

// Result is PASS or FAIL, or - if something was not measured.
func (v Verdict) Result() string {
	switch {
	case !v.Measured:
		return "-"
	case v.Pass:
		return "PASS"
	}
	return "FAIL"
}

// Want writes the bound and where it comes from.
func (v Verdict) Want() string {
	t, sign := v.Target, ">="
	if t.most {
		sign = "<="
	}
	if math.IsNaN(v.Bound) {
		return fmt.Sprintf("%s %v x %s", sign, t.factor, strings.Join(t.of, ", "))
	}
	text := sign + " " + number(v.Bound, t.metric.digits)
	if v.Base != "" {
		text += fmt.Sprintf(" (%s x %s)", number(v.Bound/v.BaseGot, 2), v.Base)
	}
	return text
}

// Reached writes what was measured, and the multiple of the base that it is.
func (v Verdict) Reached() string {
	text := number(v.Got, v.Target.metric.digits)
	if v.Base != "" && v.Measured {
		text += fmt.Sprintf(" (%s x)", number(v.Got/v.BaseGot, 2))
	}
	return text
}

// String is a sentence about a target that was missed.
func (v Verdict) String() string {
	return fmt.Sprintf("%s in %s: %s is %s, wanted %s", v.Target.Peer, v.Target.Cell, v.Target.metric.name, v.Reached(), v.Want())
}
