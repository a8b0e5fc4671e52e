package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dserver/dserver/bench/internal/load"
	"github.com/dserver/dserver/bench/internal/payload"
	"github.com/dserver/dserver/bench/internal/peer"
	"github.com/dserver/dserver/bench/internal/report"
	"github.com/dserver/dserver/bench/internal/result"
	"github.com/dserver/dserver/bench/internal/usage"
)

// bench is one run of the command.
type bench struct {
	options
	out, progress io.Writer
	take          func(context.Context, load.Plan) (result.Run, error) // one measurement: process.Measure
	set           result.Set
}

// lookAgain is how many times as many rounds as before the second look has, so that what
// the first one saw by chance is the lesser part of the median.
const lookAgain = 2

// run measures and reports. The error says what is wrong with what was measured.
func (b *bench) run(ctx context.Context) error {
	rows, err := b.plan()
	if err != nil {
		return err
	}
	terms := report.Terms{Codec: payload.CodecAllocations(payload.Record, usage.Allocations), Generous: b.quick}
	verdicts, err := b.judge(ctx, rows, terms)
	if err != nil {
		return err
	}
	out := b.out
	if b.json {
		out = b.progress
	} else if err := report.Table(out, &b.set); err != nil {
		return err
	}
	return errors.Join(report.Remarks(out, &b.set), report.Verdicts(out, verdicts, terms), b.failures(verdicts))
}

// judge measures and compares with the targets. Where the exit code depends on them it looks
// again at the cells of those that were missed: a regression stays and noise does not.
func (b *bench) judge(ctx context.Context, rows []row, terms report.Terms) ([]report.Verdict, error) {
	if err := b.measure(ctx, rows, 0, b.rounds); err != nil {
		return nil, err
	}
	verdicts := report.Judge(&b.set, terms)
	missed := report.Missed(verdicts)
	if !b.quick || len(missed) == 0 {
		return verdicts, nil
	}
	for _, v := range missed {
		fmt.Fprintf(b.progress, "missed at first: %v\n", v)
	}
	if err := b.measure(ctx, rowsOf(missed, rows), b.rounds, b.rounds*(1+lookAgain)); err != nil {
		return nil, err
	}
	return report.Judge(&b.set, terms), nil
}

// rowsOf chooses the rows that targets are about. All peers of a cell are measured again,
// else the medians of one would be of other minutes than those of the others.
func rowsOf(verdicts []report.Verdict, rows []row) []row {
	var list []row
	for _, r := range rows {
		if slices.ContainsFunc(verdicts, func(v report.Verdict) bool { return v.Target.Cell == r.cell.String() }) {
			list = append(list, r)
		}
	}
	return list
}

// measure takes rounds of rows, after so many of them in all until there are as many as end.
func (b *bench) measure(ctx context.Context, rows []row, after, end int) error {
	for n := after; n < end; n++ {
		for _, r := range rows {
			if err := b.round(ctx, r, n, end); err != nil {
				return err
			}
		}
	}
	return nil
}

// round takes one of a row. The first peer is another one each time, so that none has the
// best place for ever.
func (b *bench) round(ctx context.Context, r row, n, end int) error {
	for i := range r.peers {
		name := r.peers[(i+n)%len(r.peers)]
		fmt.Fprintf(b.progress, "round %d of %d: %s: %s: ", n+1, end, r.cell, name)
		run, err := b.take(ctx, load.Plan{Peer: name, Cell: r.cell, Time: b.time, Warm: b.warm(), Profiles: b.profiles})
		switch {
		case errors.Is(err, peer.ErrNoPush):
			fmt.Fprintln(b.progress, "has no pushes")
			continue
		case ctx.Err() != nil:
			fmt.Fprintln(b.progress)
			return context.Cause(ctx)
		case err != nil:
			fmt.Fprintln(b.progress, "failed")
			b.set.Fail(name, r.cell.String(), err)
			continue
		}
		fmt.Fprintf(b.progress, "%.0f/s\n", run.Rate)
		run.Round = n + 1
		b.set.Add(run)
		if b.json {
			if err := json.NewEncoder(b.out).Encode(run); err != nil {
				return err
			}
		}
	}
	return nil
}

// failures makes an error of what must not be: our own peers, and the ceilings, fail no
// call; with -quick, targets are reached by half.
func (b *bench) failures(verdicts []report.Verdict) error {
	var list []string
	for _, f := range b.set.Failed {
		if peer.KindOf(f.Peer) != peer.Others {
			list = append(list, f.Err.Error())
		}
	}
	for _, c := range b.set.Cells() {
		for _, p := range b.set.Peers(c) {
			for _, r := range b.set.Runs(p, c) {
				if r.Errors > 0 && peer.KindOf(p) != peer.Others {
					list = append(list, fmt.Sprintf("%s in %s: %d callers failed, one with: %s", p, c, r.Errors, r.FirstError))
				}
			}
		}
	}
	if b.quick {
		for _, v := range report.Missed(verdicts) {
			list = append(list, v.String())
		}
	}
	if len(list) == 0 {
		return nil
	}
	return errors.New("failed:\n  " + strings.Join(list, "\n  "))
}
