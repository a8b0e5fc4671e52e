package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"
)

const (
	logTime = 3 * time.Minute        // for all lines to be in the files
	quiet   = 500 * time.Millisecond // files that do not grow for so long are complete
)

// logs measures how fast lines get into files, and which do not.
func (b *bench) logs(ctx context.Context, cell string, writers, lines int) error {
	for round := range b.scale.Rounds {
		for _, p := range b.turn(round) {
			if err := b.logged(ctx, cell, p, writers, lines); err != nil {
				if err := b.failed(ctx, cell, p.name(), err); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (b *bench) logged(ctx context.Context, cell string, p peer, writers, lines int) error {
	j, err := b.newJob(p.name(), once)
	if err != nil {
		return err
	}
	j.logs, j.program = true, b.binary(roleWriter)
	desk := pages{j.path("writers")}
	if err := os.Mkdir(desk.dir, 0o700); err != nil {
		return err
	}
	if _, err := newRegister(string(desk.register())); err != nil {
		return err
	}
	if err := makeFifo(desk.gate()); err != nil {
		return err
	}
	for i := range writers {
		j.tasks = append(j.tasks, task{
			Name: fmt.Sprintf("w%03d", i),
			Args: []string{b.binary(roleWriter), roleWriter, desk.dir, strconv.Itoa(i), strconv.Itoa(lines)},
		})
	}
	ctx, cancel := context.WithTimeoutCause(ctx, logTime, fmt.Errorf("within %v", logTime))
	defer cancel()
	r, err := b.launch(ctx, p, j, desk.register())
	if err != nil {
		return err
	}
	defer b.finish(r)
	if err := b.pour(ctx, cell, r, desk, writers, lines); err != nil {
		return err
	}
	r.end(endTime) // some hold back a line without a newline until then
	return b.inspect(cell, r, writers, lines)
}

// pour opens the gate and waits for the last byte.
func (b *bench) pour(ctx context.Context, cell string, r run, desk pages, writers, lines int) error {
	if err := r.reg.await(ctx, writers); err != nil {
		return err
	}
	if err := pause(ctx, quiet); err != nil {
		return err
	}
	before := r.usage()
	gate, err := openFifo(desk.gate())
	if err != nil {
		return err
	}
	defer gate.Close()
	began, cpu, err := desk.collect(ctx, writers)
	if err != nil {
		return err
	}
	if err := r.awaitExits(ctx); err != nil {
		return err
	}
	ended, err := settled(ctx, r.logs())
	if err != nil {
		return err
	}
	b.add(cell, r.peer, "rate", float64(writers*lines*lineSize)/mega/ended.Sub(began).Seconds())
	b.add(cell, r.peer, "CPU", r.since(before).Seconds())
	b.add(cell, r.peer, "CPU of the writers", cpu.Seconds())
	rss, _ := r.memory()
	b.add(cell, r.peer, "RSS", float64(rss)/mega)
	return nil
}

// collect waits for all writers. It gives when the first began, and their CPU time.
func (p pages) collect(ctx context.Context, writers int) (began time.Time, cpu time.Duration, err error) {
	for i := range writers {
		path := p.result(strconv.Itoa(i))
		err := poll(ctx, look, func() (bool, error) {
			_, err := os.Stat(path)
			if errors.Is(err, fs.ErrNotExist) {
				return false, nil
			}
			return err == nil, err
		}, func() string { return fmt.Sprintf("%d of %d writers are done", i, writers) })
		if err != nil {
			return began, cpu, err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return began, cpu, err
		}
		var w written
		if err := json.Unmarshal(text, &w); err != nil {
			return began, cpu, err
		}
		if began.IsZero() || w.Began.Before(began) {
			began = w.Began
		}
		cpu += w.CPU
	}
	return began, cpu, nil
}

// awaitExits waits until those who were born have ended; started again they are
// not born a second time.
func (r run) awaitExits(ctx context.Context) error {
	born, err := r.reg.births(0)
	if err != nil {
		return err
	}
	return poll(ctx, look, func() (bool, error) {
		for len(born) > 0 && !runs(born[0].pid, r.job.program) {
			born = born[1:]
		}
		return len(born) == 0, nil
	}, func() string { return fmt.Sprintf("%d writers have not ended", len(born)) })
}

// settled waits until nothing grows below a folder, and tells when it last did.
func settled(ctx context.Context, dir string) (last time.Time, err error) {
	size, since := int64(-1), time.Now()
	err = poll(ctx, quiet/10, func() (bool, error) {
		n, t, err := grown(dir)
		if n != size {
			size, last, since = n, t, time.Now()
		}
		return time.Since(since) >= quiet, err
	}, func() string { return "the files still grow" })
	return last, err
}

func (b *bench) inspect(cell string, r run, writers, lines int) error {
	t, err := newChecker(writers, lines).check(r.logs())
	if err != nil {
		return err
	}
	b.add(cell, r.peer, "lost lines", float64(t.lost))
	b.add(cell, r.peer, "double lines", float64(t.double))
	b.add(cell, r.peer, "cut lines", float64(t.cut))
	b.add(cell, r.peer, "lost ends", float64(writers-t.ends))
	return nil
}
