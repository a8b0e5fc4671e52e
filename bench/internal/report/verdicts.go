package report

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Verdicts writes a table of all targets.
func Verdicts(w io.Writer, list []Verdict, terms Terms) error {
	title := "targets"
	if terms.Generous {
		title = "targets, half of which is enough"
	}
	if _, err := fmt.Fprintf(w, "\n%s\n\n", title); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tcell\tpeer\tfigure\twanted\treached") // errors come with the flush
	for _, v := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", v.Result(), v.Target.Cell, v.Target.Peer, v.Target.metric.name, v.Want(), v.Reached())
	}
	return t.Flush()
}

// Missed gives those that were measured and not reached.
func Missed(list []Verdict) []Verdict {
	var missed []Verdict
	for _, v := range list {
		if v.Measured && !v.Pass {
			missed = append(missed, v)
		}
	}
	return missed
}
