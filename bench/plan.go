package main

import (
	"fmt"
	"slices"

	"github.com/dserver/dserver/bench/internal/cell"
	"github.com/dserver/dserver/bench/internal/report"
	"github.com/dserver/dserver/bench/internal/roster"
)

// row is a cell and the peers that are measured in it.
type row struct {
	cell  cell.Cell
	peers []string
}

// plan says what to measure.
func (o options) plan() ([]row, error) {
	cells := cell.Standard()
	if o.cell != nil {
		cells = cell.Matrix()
	}
	var rows []row
	for _, c := range cells {
		if o.cell != nil && !o.cell.MatchString(c.String()) {
			continue
		}
		if peers := o.peersIn(c); len(peers) > 0 {
			rows = append(rows, row{c, peers})
		}
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("there is nothing to measure: no cell and peer are chosen; a cell is written as call:record:100:1, peers are %q", roster.Names())
	}
	return rows, nil
}

// peersIn lists the peers to measure in a cell; with -quick those that targets need.
func (o options) peersIn(c cell.Cell) []string {
	var needed []string
	for _, t := range report.Targets() {
		if t.Cell == c.String() {
			needed = append(needed, t.Peers()...)
		}
	}
	return slices.DeleteFunc(roster.Names(), func(name string) bool {
		return o.peer != nil && !o.peer.MatchString(name) || o.quick && !slices.Contains(needed, name)
	})
}
