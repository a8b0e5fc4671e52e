package result

import (
	"math"
	"slices"
)

// Set is all that was measured. The zero value is empty.
type Set struct {
	runs []Run
	// Failed are measurements that gave nothing.
	Failed []Failure
}

// Failure is a measurement that gave nothing, and why.
type Failure struct {
	Peer, Cell string
	Err        error
}

// Add adds a measurement.
func (s *Set) Add(r Run) { s.runs = append(s.runs, r) }

// Fail adds one that gave nothing.
func (s *Set) Fail(peer, cell string, err error) {
	s.Failed = append(s.Failed, Failure{peer, cell, err})
}

// Runs gives the measurements of a peer in a cell, in the order in which they were made.
func (s *Set) Runs(peer, cell string) []Run {
	var list []Run
	for _, r := range s.runs {
		if r.Peer == peer && r.Cell == cell {
			list = append(list, r)
		}
	}
	return list
}

// Cells lists the cells that were measured, in the order of their first measurement.
func (s *Set) Cells() []string {
	var list []string
	for _, r := range s.runs {
		if !slices.Contains(list, r.Cell) {
			list = append(list, r.Cell)
		}
	}
	return list
}

// Peers lists the peers that were measured in a cell, in the order of their names.
func (s *Set) Peers(cell string) []string {
	var list []string
	for _, r := range s.runs {
		if r.Cell == cell && !slices.Contains(list, r.Peer) {
			list = append(list, r.Peer)
		}
	}
	slices.Sort(list)
	return list
}

// Median gives that of a figure over all rounds; NaN without any.
func (s *Set) Median(peer, cell string, figure func(Run) float64) float64 {
	var list []float64
	for _, r := range s.Runs(peer, cell) {
		list = append(list, figure(r))
	}
	return Median(list)
}

// Range gives the least and the most of a figure over all rounds; NaN without any.
func (s *Set) Range(peer, cell string, figure func(Run) float64) (least, most float64) {
	least, most = math.NaN(), math.NaN()
	for i, r := range s.Runs(peer, cell) {
		v := figure(r)
		if i == 0 {
			least, most = v, v
		}
		least, most = min(least, v), max(most, v)
	}
	return least, most
}

// Median gives the middle of a list, or the mean of the two in the middle; NaN of an
// empty one. The list is left as it is.
func Median(list []float64) float64 {
	if len(list) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(list))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
