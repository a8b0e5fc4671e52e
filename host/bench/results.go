package main

import (
	"fmt"
	"math"
	"slices"
	"sync"
)

// metric is one figure of a cell.
type metric struct {
	cell, name string
	unit       string
	digits     int     // behind the point
	reduce     reducer // makes one figure of all that were measured
	base       string  // the peer that others are compared with; empty: with none
}

// reducer makes one figure of several; they are sorted, and there is at least one.
type reducer func(sorted []float64) float64

func median(s []float64) float64 {
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// high is the 99th percentile by rank; of fewer than 100 figures it is the highest.
func high(s []float64) float64 { return s[int(math.Ceil(0.99*float64(len(s))))-1] }

func most(s []float64) float64 { return s[len(s)-1] }

func manyMetrics(cell string) []metric {
	return []metric{
		{cell, "start", "s", 3, median, roleFloor},
		{cell, "first to last", "s", 3, median, roleFloor},
		{cell, "CPU of the start", "s", 3, median, roleFloor},
		{cell, "RSS", "MB", 1, median, ""},
		{cell, "PSS", "MB", 1, median, ""},
		{cell, "PSS without children", "MB", 1, median, ""},
		{cell, "memory a child", "KB", 1, median, roleFloor},
		{cell, "stop", "s", 3, median, roleFloor},
		{cell, "stop answered", "s", 3, median, roleFloor},
		{cell, "CPU of the stop", "s", 3, median, roleFloor},
	}
}

func logMetrics(cell string) []metric {
	return []metric{
		{cell, "rate", "MB/s", 1, median, roleRaw},
		{cell, "CPU", "s", 3, median, roleRaw},
		{cell, "CPU of the writers", "s", 3, median, roleRaw},
		{cell, "RSS", "MB", 1, median, ""},
		{cell, "lost lines", "", 0, most, ""},
		{cell, "double lines", "", 0, most, ""},
		{cell, "cut lines", "", 0, most, ""},
		{cell, "lost ends", "", 0, most, ""},
	}
}

// metrics lists all, in the order in which they are shown.
func metrics() []metric {
	return slices.Concat(
		[]metric{
			{cellRestart, "median", "ms", 2, median, roleFloor},
			{cellRestart, "p99", "ms", 2, high, roleFloor},
			{cellRestartGo, "median", "ms", 2, median, roleFloor},
			{cellRestartGo, "p99", "ms", 2, high, roleFloor},
			{cellYoung, "median", "ms", 2, median, roleFloor},
			{cellYoung, "p99", "ms", 2, high, roleFloor},
		},
		manyMetrics(cellFew),
		[]metric{
			{cellFew, "idle CPU in 30 s", "ms", 1, median, ""},
			{cellFew, "status by API", "ms", 2, median, roleFloor},
			{cellFew, "status by command", "ms", 1, median, roleFloor},
		},
		manyMetrics(cellMany),
		logMetrics(cellOneLog),
		logMetrics(cellManyLogs),
		[]metric{
			{cellCrash, "starts", "", 0, most, ""},
			{cellCrash, "CPU", "ms", 1, most, ""},
			{cellCrash, "end state", "", 0, nil, ""},
		},
	)
}

// results collects what is measured. It is safe for concurrent use.
type results struct {
	mu      sync.Mutex
	values  map[figure][]float64
	texts   map[figure]string
	remarks []string
}

type figure struct{ cell, name, peer string }

func newResults() *results {
	return &results{values: make(map[figure][]float64), texts: make(map[figure]string), remarks: []string{}}
}

func (r *results) add(cell, peer, name string, value float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := figure{cell, name, peer}
	r.values[f] = append(r.values[f], value)
}

func (r *results) text(cell, peer, name, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.texts[figure{cell, name, peer}] = text
}

func (r *results) remark(format string, args ...any) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	r.remarks = append(r.remarks, text)
	return text
}

// value is the figure that counts, and of how many it was made; none if there were
// none.
func (r *results) value(m metric, peer string) (v float64, of int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := slices.Clone(r.values[figure{m.cell, m.name, peer}])
	if len(list) == 0 || m.reduce == nil {
		return math.NaN(), 0
	}
	slices.Sort(list)
	return m.reduce(list), len(list)
}

// ratio is a figure as a multiple of that of the peer it is compared with; NaN if
// there is none.
func (r *results) ratio(m metric, peer string) float64 {
	if m.base == "" || m.base == peer {
		return math.NaN()
	}
	v, _ := r.value(m, peer)
	base, _ := r.value(m, m.base)
	if base == 0 {
		return math.NaN()
	}
	return v / base
}
