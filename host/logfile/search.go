package logfile

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"time"
)

// Search calls emit for each selected line of some logs, in the order of their
// times, as they are now; with q.Follow it then goes on with what comes until ctx
// ends, which is no error then. The lines of one log stay in their order. It ends
// early with the error of emit or of ctx. Of a log that was asked for by time little
// more is read than that time, but for packed files, and the memory needed does not
// depend on how long the logs are.
func Search(ctx context.Context, logs []*Reader, q Query, emit func(Line) error) (err error) {
	s := &search{ctx: ctx, query: &q, emit: emit, wake: make(chan struct{}, 1)}
	defer func() {
		if failed := s.close(); err == nil {
			err = failed
		}
	}()
	if q.Follow {
		// Before the first look at the files: so what comes after it wakes us.
		for _, r := range logs {
			defer r.news.join(s.wake)()
		}
	}
	err = s.open(logs)
	for err == nil {
		if err = s.catchUp(); err != nil || !q.Follow {
			break
		}
		err = wait(ctx, logs, s.wake)
	}
	switch {
	case q.Follow && ctx.Err() != nil:
		return nil
	case err == nil:
		return s.unfinished()
	}
	return err
}

// search merges the lines of several logs.
type search struct {
	ctx   context.Context
	query *Query
	emit  func(Line) error
	wake  chan struct{}
	skip  int // lines that are more than were asked for

	cursors []*cursor
}

func (s *search) open(logs []*Reader) error {
	counted := 0
	for _, r := range logs {
		if err := r.flush(); err != nil {
			return err
		}
		c := newCursor(s.ctx, r, newFilter(s.query, r))
		s.cursors = append(s.cursors, c)
		n, err := c.start(s.query)
		if err == nil && !s.query.Follow {
			err = c.stopHere()
		}
		if err != nil {
			return fmt.Errorf("cannot search the log: %w", err)
		}
		counted += n
	}
	s.skip = max(0, counted-max(0, s.query.Lines))
	return nil
}

// catchUp emits all that there is now.
func (s *search) catchUp() error {
	var q queue
	for i, c := range s.cursors {
		line, ok, err := c.next()
		if err != nil {
			return err
		}
		if ok {
			q = append(q, upcoming{line, c.filter.now, i})
		}
	}
	heap.Init(&q)
	for len(q) > 0 {
		first := &q[0]
		if err := s.pass(first.line); err != nil {
			return err
		}
		c := s.cursors[first.log]
		line, ok, err := c.next()
		if err != nil {
			return err
		}
		if !ok {
			heap.Pop(&q)
			continue
		}
		first.line, first.at = line, c.filter.now
		heap.Fix(&q, 0)
	}
	return nil
}

func (s *search) pass(l Line) error {
	if s.skip > 0 {
		s.skip--
		return nil
	}
	return s.emit(l)
}

// unfinished emits what there is of last lines that have no newline.
func (s *search) unfinished() error {
	for _, c := range s.cursors {
		line, ok, err := c.last()
		if err == nil && ok {
			err = s.pass(line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *search) close() error {
	var errs []error
	for _, c := range s.cursors {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}

// queue is the next line of each log, the oldest first: a heap.
type queue []upcoming

// upcoming is the next line of a log.
type upcoming struct {
	line Line
	at   time.Time // also if the line does not tell
	log  int       // it decides between equal times
}

// Len implements heap.Interface.
func (q queue) Len() int { return len(q) }

// Less implements heap.Interface.
func (q queue) Less(i, j int) bool {
	if c := q[i].at.Compare(q[j].at); c != 0 {
		return c < 0
	}
	return q[i].log < q[j].log
}

// Swap implements heap.Interface.
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *queue) Push(x any) { *q = append(*q, x.(upcoming)) }

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
