package report

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/dserver/dserver/bench/internal/cell"
	"github.com/dserver/dserver/bench/internal/peer"
	"github.com/dserver/dserver/bench/internal/result"
)

// Base is the ceiling that all tables compare with.
const Base = "ceil-pb-go"

const mib = 1 << 20

// view is what the columns of a table see: one peer in one cell.
type view struct {
	set        *result.Set
	peer, cell string
	base, best float64 // rates
}

func (v view) median(figure func(result.Run) float64) float64 {
	return v.set.Median(v.peer, v.cell, figure)
}

type column struct {
	title string
	text  func(v view) string
}

// figure is a column with a median.
func figure(title string, digits int, get func(result.Run) float64) column {
	return column{title, func(v view) string { return number(v.median(get), digits) }}
}

func number(v float64, digits int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "-"
	}
	return fmt.Sprintf("%.*f", digits, v)
}

func rate(r result.Run) float64       { return r.Rate }
func connection(r result.Run) float64 { return r.Connection / 1024 }

func spread(v view) string {
	least, most := v.set.Range(v.peer, v.cell, rate)
	return number(least, 0) + "-" + number(most, 0)
}

// columns are those of a cell's table.
func columns(m cell.Mode) []column {
	name := column{"peer", func(v view) string { return v.peer }}
	if m == cell.Idle {
		return []column{
			name, figure("KiB each", 1, connection),
			figure("collected", 1, func(r result.Run) float64 { return r.ConnectionCollected / 1024 }),
			figure("goroutines each", 1, func(r result.Run) float64 { return r.ConnectionGoroutines }),
			figure("made/s", 0, rate),
		}
	}
	list := []column{
		name, figure("rate/s", 0, rate), {"from-to", spread},
		{"x " + Base, func(v view) string { return number(v.median(rate)/v.base, 2) }},
		{"x best peer", func(v view) string { return number(v.median(rate)/v.best, 2) }},
	}
	if m != cell.Push {
		list = append(list, figure("p50 us", 0, func(r result.Run) float64 { return r.P50 }),
			figure("p99 us", 0, func(r result.Run) float64 { return r.P99 }))
	}
	return append(list,
		figure("CPU s/M", 1, func(r result.Run) float64 { return r.CPU }),
		figure("allocs c", 1, func(r result.Run) float64 { return r.AllocsClient }),
		figure("allocs s", 1, func(r result.Run) float64 { return r.AllocsServer }),
		figure("RSS MiB", 0, func(r result.Run) float64 { return float64(r.RSSServer) / mib }),
		figure("switches", 2, func(r result.Run) float64 { return r.Switches }),
		figure("writes", 2, func(r result.Run) float64 { return r.Writes }))
}

// Table writes a table for each cell.
func Table(w io.Writer, s *result.Set) error {
	for _, name := range s.Cells() {
		c, err := cell.Parse(name)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "\n%s: %s\n\n", name, c.Describe()); err != nil {
			return err
		}
		if err := table(w, s, c); err != nil {
			return err
		}
	}
	return nil
}

func table(w io.Writer, s *result.Set, c cell.Cell) error {
	name := c.String()
	peers := order(s, c)
	best, width := math.NaN(), 0
	for _, p := range peers {
		width = max(width, len(p))
		if v := s.Median(p, name, rate); peer.KindOf(p) == peer.Others && !(v <= best) {
			best = v
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	all := columns(c.Mode)
	var cells []string
	for _, col := range all {
		cells = append(cells, col.title)
	}
	line(t, width, cells)
	for _, p := range peers {
		v := view{s, p, name, s.Median(Base, name, rate), best}
		cells = cells[:0]
		for _, col := range all {
			cells = append(cells, col.text(v))
		}
		line(t, width, cells)
	}
	return t.Flush()
}

// line writes one, names on the left although all else is on the right. Errors come with
// the flush.
func line(t *tabwriter.Writer, width int, cells []string) {
	fmt.Fprintf(t, "%-*s\t%s\t\n", width, cells[0], strings.Join(cells[1:], "\t"))
}

// order puts the best peer first.
func order(s *result.Set, c cell.Cell) []string {
	peers, name := s.Peers(c.String()), c.String()
	slices.SortStableFunc(peers, func(a, b string) int {
		if c.Mode == cell.Idle {
			return cmp.Compare(s.Median(a, name, connection), s.Median(b, name, connection))
		}
		return cmp.Compare(s.Median(b, name, rate), s.Median(a, name, rate))
	})
	return peers
}

// Remarks writes what went wrong, a line for each.
func Remarks(w io.Writer, s *result.Set) error {
	for i, text := range remarks(s) {
		if i == 0 {
			text = "\n" + text
		}
		if _, err := fmt.Fprintln(w, text); err != nil {
			return err
		}
	}
	return nil
}

func remarks(s *result.Set) []string {
	var list []string
	for _, f := range s.Failed {
		list = append(list, fmt.Sprintf("remark: %s: %s: %v", f.Cell, f.Peer, f.Err))
	}
	for _, c := range s.Cells() {
		for _, p := range s.Peers(c) {
			for _, r := range s.Runs(p, c) {
				if r.Errors > 0 {
					list = append(list, fmt.Sprintf("remark: %s: %s: %d callers failed, one with: %s", c, p, r.Errors, r.FirstError))
				}
				if r.Lost != 0 {
					list = append(list, fmt.Sprintf("remark: %s: %s: %d pushes of %d were lost", c, p, r.Lost, r.Lost+r.Calls))
				}
			}
		}
	}
	return list
}
