package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime/pprof"
	"sync"

	"github.com/dserver/dserver/host/logfile"
	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/internal/group"
)

// bare does with package supervise what the floor does with os/exec, and nothing
// more: what dserver needs beyond it is the price of what it is asked to do.
type bare struct {
	plan    plan
	spawner *supervise.Spawner
	log     *logfile.Writer
	tasks   *group.Group
	always  *group.Group // what runs until the end
	closed  error        // what came of closing the log

	mu       sync.Mutex
	stopping bool
	places   []place
	running  []*supervise.Process
}

func runSupervise(args []string) error {
	p, err := readPlan(args)
	if err != nil {
		return err
	}
	// As a master does: who leaves something behind is found by what comes to us.
	if err := supervise.Subreap(); err != nil {
		return err
	}
	end, err := p.startProfile()
	if err != nil {
		return err
	}
	log, err := logfile.Open(logfile.Options{Path: filepath.Join(p.Logs, "all.log"), Owner: true})
	if err != nil {
		return errors.Join(err, end())
	}
	b := &bare{
		plan: p, log: log, spawner: supervise.New(supervise.Options{}), tasks: group.New(context.Background(), nil),
		always: group.New(context.Background(), nil), places: make([]place, len(p.Tasks)), running: make([]*supervise.Process, len(p.Tasks)),
	}
	b.always.Go("orphans", b.spawner.ReapOrphans)
	for i, t := range p.Tasks {
		b.places[i].Name = t.Name
		b.tasks.Go(t.Name, func(context.Context) { b.keep(i, t) })
	}
	served := serve(p.Socket, b)
	return errors.Join(served, b.always.Stop(context.Background()), b.closed, end())
}

// startProfile begins a profile of the CPU if one is asked for; end ends it.
func (p plan) startProfile() (end func() error, err error) {
	if p.CPU == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(p.CPU)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

func (b *bare) keep(i int, t task) {
	for b.run(i, t) && b.plan.Keep {
	}
}

// run tells whether the task ran, and ended by itself.
func (b *bare) run(i int, t task) bool {
	sink := func(stream string) supervise.Sink {
		return b.log.Sink(logfile.Source{Name: t.Name, Stream: stream, Instance: 1, Generation: 1})
	}
	b.mu.Lock()
	stopping := b.stopping
	b.mu.Unlock()
	if stopping {
		return false
	}
	p, err := b.spawner.Start(supervise.Spec{
		Name: t.Name, Path: t.Args[0], Args: t.Args, Env: os.Environ(),
		Stdout: sink(logfile.StreamOut), Stderr: sink(logfile.StreamErr),
	})
	if err != nil {
		return false
	}
	b.started(i, p)
	<-p.Done()
	return b.ended(i)
}

func (b *bare) started(i int, p *supervise.Process) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running[i] = p
	b.places[i].State, b.places[i].Pid = stateRunning, p.Pid()
	if b.stopping { // it began meanwhile
		b.tell(p)
	}
}

func (b *bare) ended(i int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running[i] = nil
	b.places[i].State, b.places[i].Pid = "stopped", 0
	b.places[i].Restarts++
	return !b.stopping
}

// tell makes p end in a while.
func (b *bare) tell(p *supervise.Process) {
	b.tasks.Go("stop of "+p.Name(), func(ctx context.Context) {
		// What does not stop is found by who measures.
		_, _ = p.Stop(ctx, nil)
	})
}

func (b *bare) status() []place {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]place(nil), b.places...)
}

func (b *bare) stop() {
	b.mu.Lock()
	b.stopping = true
	for _, p := range b.running {
		if p != nil {
			b.tell(p)
		}
	}
	b.mu.Unlock()
	_ = b.tasks.Wait(context.Background())
	// Before the answer: who gets that may kill us.
	b.closed = b.log.Close()
}
