package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
)

// document is what -json prints.
type document struct {
	Machine  machine   `json:"machine"`
	Quick    bool      `json:"quick"`
	Child    string    `json:"child"`
	Scale    scale     `json:"scale"`
	Values   []value   `json:"values"`
	Verdicts []verdict `json:"targets"`
	Remarks  []string  `json:"remarks"`
}

type machine struct {
	Cores  int    `json:"cores"`
	System string `json:"system"`
	Load   string `json:"load"` // of the last 1, 5 and 15 minutes, at the end
	Go     string `json:"go"`
}

// value is one figure. Of is how many it was made of.
type value struct {
	Cell   string   `json:"cell"`
	Metric string   `json:"metric"`
	Peer   string   `json:"peer"`
	Value  float64  `json:"value"`
	Unit   string   `json:"unit,omitempty"`
	Text   string   `json:"text,omitempty"`
	Of     int      `json:"of,omitempty"`
	Base   string   `json:"base,omitempty"`
	Ratio  *float64 `json:"ratio,omitempty"`
}

func thisMachine() machine {
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	load, _ := os.ReadFile("/proc/loadavg")
	words := strings.Fields(string(load))
	return machine{
		Cores: runtime.NumCPU(), Go: runtime.Version(), Load: strings.Join(words[:min(3, len(words))], " "),
		System: strings.TrimSpace(runtime.GOOS + "/" + runtime.GOARCH + " " + string(release)),
	}
}

func (b *bench) report(w io.Writer) error {
	d := document{
		Machine: thisMachine(), Quick: b.quick, Child: b.child, Scale: b.scale,
		Values: b.figures(), Verdicts: verdicts(b.results), Remarks: b.remarks,
	}
	if b.json {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(d)
	}
	fmt.Fprintf(w, "%d cores, %s, %s, load %s; children: %s\n",
		d.Machine.Cores, d.Machine.System, d.Machine.Go, d.Machine.Load, d.Child)
	if d.Quick {
		fmt.Fprintln(w, "quick: these figures show that all works, and little else")
	}
	if err := b.table(w); err != nil {
		return err
	}
	if err := printVerdicts(w, d.Verdicts); err != nil {
		return err
	}
	for _, text := range d.Remarks {
		fmt.Fprintln(w, "remark:", text)
	}
	return nil
}

// figures lists all that was measured, in the order of the table.
func (b *bench) figures() []value {
	var list []value
	for _, m := range metrics() {
		for _, peer := range peerNames() {
			f := value{Cell: m.cell, Metric: m.name, Peer: peer, Unit: m.unit, Base: m.base, Text: b.texts[figure{m.cell, m.name, peer}]}
			v, of := b.value(m, peer)
			if of == 0 && f.Text == "" {
				continue
			}
			if of > 0 {
				f.Value, f.Of = v, of
			}
			if ratio := b.ratio(m, peer); !math.IsNaN(ratio) {
				f.Ratio = &ratio
			}
			list = append(list, f)
		}
	}
	return list
}

// table has a column for each peer and a line for each metric.
func (b *bench) table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	cell := ""
	var columns []string
	for _, m := range metrics() {
		if m.cell != cell {
			cell, columns = m.cell, b.columns(m.cell)
			if len(columns) > 0 {
				fmt.Fprintf(t, "\n%s\t\t%s\n", title(cell, b.scale), strings.Join(columns, "\t"))
			}
		}
		if line, any := b.line(m, columns); any {
			fmt.Fprintln(t, line)
		}
	}
	return t.Flush()
}

// columns lists the peers of which something is known in a cell.
func (b *bench) columns(cell string) []string {
	return slices.DeleteFunc(peerNames(), func(peer string) bool {
		return !slices.ContainsFunc(metrics(), func(m metric) bool {
			_, of := b.value(m, peer)
			return m.cell == cell && of > 0
		})
	})
}

func (b *bench) line(m metric, columns []string) (line string, any bool) {
	words := []string{"  " + m.name, m.unit}
	for _, peer := range columns {
		text := b.texts[figure{m.cell, m.name, peer}]
		if v, of := b.value(m, peer); of > 0 {
			text = fmt.Sprintf("%.*f", m.digits, v)
		}
		if ratio := b.ratio(m, peer); !math.IsNaN(ratio) {
			text += fmt.Sprintf(" (%.2fx)", ratio)
		}
		any = any || text != ""
		words = append(words, text)
	}
	return strings.Join(words, "\t"), any
}

// title says what a cell is about.
func title(cell string, s scale) string {
	switch cell {
	case cellRestart:
		return fmt.Sprintf("%s: after kill -9 of a child of %v", cell, s.Stable)
	case cellRestartGo:
		return fmt.Sprintf("%s: the same with a Go program as the child", cell)
	case cellYoung:
		return fmt.Sprintf("%s: after kill -9 of a child of %v", cell, youngAge)
	case cellFew:
		return fmt.Sprintf("%s: %d children", cell, s.Few)
	case cellMany:
		return fmt.Sprintf("%s: %d children", cell, s.Many)
	case cellOneLog:
		return fmt.Sprintf("%s: %d lines", cell, s.OneLines)
	case cellManyLogs:
		return fmt.Sprintf("%s: %d x %d lines", cell, s.Writers, s.ManyLines)
	}
	return fmt.Sprintf("%s: %v with defaults", cell, s.Crash)
}

func printVerdicts(w io.Writer, list []verdict) error {
	if len(list) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\ntarget\t\tpeer\twant\tgot\t")
	for _, v := range list {
		word := "FAIL"
		if v.Pass {
			word = "pass"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", v.Cell, v.Metric, v.Peer, v.Want, v.Got, word)
	}
	return t.Flush()
}
