package main

import (
	"fmt"
	"math"
	"slices"
)

// target is what dserver is to reach.
type target struct {
	cell, name string
	ratio      bool // it is about the multiple of the metric's base
	least      bool // the limit is the least, not the most
	limit      float64
	text       string // or the text that it is to be
}

func logTargets(cell string) []target {
	return []target{
		{cell: cell, name: "rate", ratio: true, least: true, limit: 0.75},
		{cell: cell, name: "CPU", ratio: true, limit: 1.4},
		{cell: cell, name: "lost lines"},
		{cell: cell, name: "double lines"},
		{cell: cell, name: "cut lines"},
		{cell: cell, name: "lost ends"},
	}
}

func targets() []target {
	return slices.Concat([]target{
		{cell: cellRestart, name: "median", ratio: true, limit: 1.3},
		{cell: cellRestart, name: "p99", ratio: true, limit: 1.3},
		{cell: cellRestartGo, name: "median", ratio: true, limit: 1.3},
		{cell: cellRestartGo, name: "p99", ratio: true, limit: 1.3},
		{cell: cellMany, name: "start", ratio: true, limit: 1.35},
		{cell: cellMany, name: "memory a child", limit: 25},
		{cell: cellMany, name: "stop", limit: 0.3},
		{cell: cellFew, name: "idle CPU in 30 s", limit: 10},
		{cell: cellFew, name: "status by API", limit: 1},
		{cell: cellFew, name: "status by command", limit: 30},
	}, logTargets(cellOneLog), logTargets(cellManyLogs), []target{
		{cell: cellCrash, name: "starts", limit: 20},
		{cell: cellCrash, name: "CPU", limit: 50},
		{cell: cellCrash, name: "end state", text: "fatal"},
	})
}

// judged lists the peers that targets are for.
func judged() []string { return []string{peerDserver, roleSupervise} }

// verdict is how one peer does by one target.
type verdict struct {
	Cell   string `json:"cell"`
	Metric string `json:"metric"`
	Peer   string `json:"peer"`
	Want   string `json:"want"`
	Got    string `json:"got"`
	Pass   bool   `json:"pass"`
}

// verdicts leaves out what was not measured.
func verdicts(r *results) []verdict {
	var list []verdict
	for _, t := range targets() {
		m := find(t.cell, t.name)
		for _, peer := range judged() {
			if v, ok := t.judge(r, m, peer); ok {
				list = append(list, v)
			}
		}
	}
	return list
}

func find(cell, name string) metric {
	all := metrics()
	return all[slices.IndexFunc(all, func(m metric) bool { return m.cell == cell && m.name == name })]
}

func (t target) judge(r *results, m metric, peer string) (verdict, bool) {
	v := verdict{Cell: t.cell, Metric: t.name, Peer: peer}
	if t.text != "" {
		text, ok := r.texts[figure{t.cell, t.name, peer}]
		v.Want, v.Got, v.Pass = t.text, text, text == t.text
		return v, ok
	}
	got, _ := r.value(m, peer)
	unit, digits := m.unit, m.digits
	if t.ratio {
		got, unit, digits = r.ratio(m, peer), "x "+m.base, 2
	}
	sign := "<="
	v.Pass = got <= t.limit
	if t.least {
		sign, v.Pass = ">=", got >= t.limit
	}
	v.Want = fmt.Sprintf("%s %v %s", sign, t.limit, unit)
	v.Got = fmt.Sprintf("%.*f", digits, got)
	return v, !math.IsNaN(got)
}
