package load

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/rpc"
)

// Load is clients at work on some targets. Make one with [Start].
type Load struct {
	endpoint *rpc.Endpoint
	clients  *group.Group

	mu      sync.Mutex
	results []record
	moments []time.Time // reloads
}

// record is what became of the requests of one class.
type record struct {
	class    string
	samples  []sample
	failures []Failure // the first of them
	failed   int
}

// sample is one request that was answered.
type sample struct {
	begin time.Time
	took  time.Duration
}

// Failure is one request that failed.
type Failure struct {
	Class string
	Begin time.Time
	End   time.Time
	Err   error
}

// maxFailures is how many failures of a class are kept.
const maxFailures = 20

// Start sets clients to work on all targets.
func Start(ctx context.Context, targets []Target, o Options) (*Load, error) {
	if o.Slow == 0 {
		o.Slow = 2 * time.Second
	}
	if o.Pause == 0 {
		o.Pause = 150 * time.Millisecond
	}
	e, err := rpc.New(rpc.Config{Name: "load", Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		return nil, err
	}
	l := &Load{endpoint: e, clients: group.New(ctx, nil)}
	for _, t := range targets {
		for _, c := range classes(t, e, o) {
			l.begin(c)
		}
	}
	return l, nil
}

func (l *Load) begin(c class) {
	l.mu.Lock()
	i := len(l.results)
	l.results = append(l.results, record{class: c.name})
	l.mu.Unlock()
	for range c.clients {
		l.clients.Go(c.name, func(ctx context.Context) { l.work(ctx, i, c) })
	}
}

func (l *Load) work(ctx context.Context, i int, c class) {
	client := c.client()
	defer client.close()
	for ctx.Err() == nil {
		select {
		case <-time.After(rand.N(c.pause)):
		case <-ctx.Done():
			return
		}
		begin := time.Now()
		err := client.do()
		l.record(i, begin, time.Now(), err)
	}
}

func (l *Load) record(i int, begin, end time.Time, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &l.results[i]
	if err == nil {
		r.samples = append(r.samples, sample{begin: begin, took: end.Sub(begin)})
		return
	}
	r.failed++
	if len(r.failures) < maxFailures {
		r.failures = append(r.failures, Failure{Class: r.class, Begin: begin, End: end, Err: err})
	}
}

// Mark notes that a reload was committed at a moment.
func (l *Load) Mark(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moments = append(l.moments, at)
}

// Working tells whether every class has had an answer.
func (l *Load) Working() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.results {
		if len(r.samples)+r.failed == 0 {
			return false
		}
	}
	return true
}

// Failed is how many requests have failed so far.
func (l *Load) Failed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	failed := 0
	for _, r := range l.results {
		failed += r.failed
	}
	return failed
}

// Stop lets the clients finish what they are at and tells how it went.
func (l *Load) Stop(ctx context.Context) (Report, error) {
	if err := l.clients.Stop(ctx); err != nil {
		return Report{}, err
	}
	err := l.endpoint.Shutdown(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.report(), err
}
