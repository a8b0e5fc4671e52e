package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/dserver/dserver/bench/internal/load"
	"github.com/dserver/dserver/bench/internal/payload"
	"github.com/dserver/dserver/bench/internal/peer"
	"github.com/dserver/dserver/bench/internal/process"
	"github.com/dserver/dserver/bench/internal/report"
	"github.com/dserver/dserver/bench/internal/result"
	"github.com/dserver/dserver/bench/internal/usage"
)

// bench is one run of the command.
type bench struct {
	options
	out, progress io.Writer
	set           result.Set
}

// run measures and reports. The error says what is wrong with what was measured.
func (b *bench) run(ctx context.Context) error {
	rows, err := b.plan()
	if err != nil {
		return err
	}
	terms := report.Terms{Codec: payload.CodecAllocations(payload.Record, usage.Allocations), Generous: b.quick}
	for round := range b.rounds {
		for _, r := range rows {
			if err := b.measure(ctx, r, round); err != nil {
				return err
			}
		}
	}
	verdicts := report.Judge(&b.set, terms)
	out := b.out
	if b.json {
		out = b.progress
	} else if err := report.Table(out, &b.set); err != nil {
		return err
	}
	return errors.Join(report.Remarks(out, &b.set), report.Verdicts(out, verdicts, terms), b.failures(verdicts))
}

// measure takes one round of a row. The first peer is another one each time, so that none
// has the best place for ever.
func (b *bench) measure(ctx context.Context, r row, round int) error {
	for i := range r.peers {
		name := r.peers[(i+round)%len(r.peers)]
		fmt.Fprintf(b.progress, "round %d of %d: %s: %s: ", round+1, b.rounds, r.cell, name)
		run, err := process.Measure(ctx, load.Plan{Peer: name, Cell: r.cell, Time: b.time, Warm: b.warm(), Profiles: b.profiles})
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
		run.Round = round + 1
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
