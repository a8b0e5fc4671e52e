package load

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// window is how much of the time round a reload counts as inside: half of it lies
// before the commit.
const window = 500 * time.Millisecond

// Report is what became of all requests.
type Report struct {
	Classes  []Class
	Failures []Failure // the first of each class, by time
	reloads  []time.Time
}

// Class is one way of using a target.
type Class struct {
	Name     string
	Requests int
	Failed   int
	Inside   time.Duration // 99th percentile of those that overlap the 500 ms round a reload
	Outside  time.Duration // 99th percentile of the others
}

func (l *Load) report() Report {
	r := Report{reloads: l.moments}
	for _, from := range l.results {
		c := Class{Name: from.class, Requests: len(from.samples) + from.failed, Failed: from.failed}
		var inside, outside []time.Duration
		for _, s := range from.samples {
			if r.overlaps(s) {
				inside = append(inside, s.took)
			} else {
				outside = append(outside, s.took)
			}
		}
		c.Inside, c.Outside = percentile99(inside), percentile99(outside)
		r.Classes = append(r.Classes, c)
		r.Failures = append(r.Failures, from.failures...)
	}
	slices.SortStableFunc(r.Failures, func(a, b Failure) int { return a.Begin.Compare(b.Begin) })
	return r
}

// overlaps tells whether a request ran during a window.
func (r Report) overlaps(s sample) bool {
	for _, at := range r.reloads {
		if s.begin.Before(at.Add(window/2)) && s.begin.Add(s.took).After(at.Add(-window/2)) {
			return true
		}
	}
	return false
}

func percentile99(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[(len(all)*99+99)/100-1]
}

// Requests is how many there were.
func (r Report) Requests() (n int) {
	for _, c := range r.Classes {
		n += c.Requests
	}
	return n
}

// Failed is how many of them failed.
func (r Report) Failed() (n int) {
	for _, c := range r.Classes {
		n += c.Failed
	}
	return n
}

// Table is a line for each class.
func (r Report) Table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "class\trequests\tfailed\tp99 in\tp99 out")
	for _, c := range r.Classes {
		fmt.Fprintf(w, "%s\t%d\t%d\t%v\t%v\n", c.Name, c.Requests, c.Failed,
			c.Inside.Round(100*time.Microsecond), c.Outside.Round(100*time.Microsecond))
	}
	fmt.Fprintf(w, "all\t%d\t%d\t\t\n", r.Requests(), r.Failed())
	_ = w.Flush() // a strings.Builder takes everything
	return b.String()
}

// Losses tells of the first failures, each with where it lies between reloads.
func (r Report) Losses() string {
	var b strings.Builder
	for _, f := range r.Failures[:min(len(r.Failures), maxFailures)] {
		fmt.Fprintf(&b, "%s, %s, took %v: %v\n", f.Class, r.place(f.Begin), f.End.Sub(f.Begin).Round(time.Millisecond), f.Err)
	}
	return b.String()
}

// place tells when something happened, counted from the nearest commit.
func (r Report) place(at time.Time) string {
	nearest, distance := 0, time.Duration(0)
	for i, reload := range r.reloads {
		if d := at.Sub(reload); nearest == 0 || d.Abs() < distance.Abs() {
			nearest, distance = i+1, d
		}
	}
	if nearest == 0 {
		return at.Format("15:04:05.000")
	}
	return fmt.Sprintf("%s (%v from the commit of reload %d)", at.Format("15:04:05.000"), distance.Round(time.Millisecond), nearest)
}
