package load

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/dserver/dserver/bench/internal/result"
)

const (
	mostDials = 8000 // the ports of closed connections are not free at once
	settle    = 500 * time.Millisecond
	poll      = 2 * time.Millisecond
)

// call has callers that share connections.
func (m *measurement) call() error {
	if err := m.connect(m.Cell.Connections); err != nil {
		return err
	}
	c := newCrowd(m.ctx, true)
	for i := range m.Cell.Callers {
		c.add(m.conns[i%len(m.conns)].Caller(m.Cell.Body))
	}
	return m.loop(c)
}

// dial has callers that connect, call and close.
func (m *measurement) dial() error {
	var left atomic.Int64
	left.Store(mostDials)
	c := newCrowd(m.ctx, true)
	for range m.Cell.Callers {
		c.add(func(tag uint32) error {
			if left.Add(-1) < 0 {
				return errEnough
			}
			conn, err := m.peer.Dial(m.server.Address())
			if err != nil {
				return err
			}
			err = conn.Caller(m.Cell.Body)(tag)
			_ = conn.Close()
			return err
		})
	}
	return m.loop(c)
}

// loop measures a crowd whose calls are answered.
func (m *measurement) loop(c *crowd) error {
	if _, err := c.run(warming, m.Warm); err != nil {
		return err
	}
	before, err := m.look()
	if err != nil {
		return err
	}
	all := c.all()
	took, err := c.run(measured, m.Time)
	if err != nil {
		return err
	}
	after, err := m.look() // while they go on, so that memory is that under load
	if err != nil {
		return err
	}
	m.run.Account(before, after, c.all()-all)
	if err := c.stop(); err != nil {
		return err
	}
	calls, times, failed, err := c.sum()
	m.run.Count(calls, took)
	m.fail(failed, err)
	m.run.P50, m.run.P99 = result.Micros(times.quantile(0.5)), result.Micros(times.quantile(0.99))
	m.run.P999, m.run.Max = result.Micros(times.quantile(0.999)), result.Micros(times.max)
	return nil
}

func (m *measurement) fail(failed int64, err error) {
	m.run.Errors += failed
	if err != nil {
		m.run.FirstError = err.Error()
	}
}

// push has senders whose messages are counted where they come.
func (m *measurement) push() error {
	if err := m.connect(m.Cell.Connections); err != nil {
		return err
	}
	if _, _, err := m.burst(m.Warm); err != nil {
		return err
	}
	before, err := m.look()
	if err != nil {
		return err
	}
	start := time.Now()
	sent, last, err := m.burst(m.Time)
	if err != nil {
		return err
	}
	after, err := m.look()
	if err != nil {
		return err
	}
	came := after.Server.Pushed - before.Server.Pushed
	m.run.Count(came, last.Sub(start))
	m.run.Account(before, after, came)
	m.run.Lost = sent - came
	return nil
}

// burst sends for a time, and waits until the last message has come.
func (m *measurement) burst(d time.Duration) (sent int64, last time.Time, err error) {
	before, err := m.server.Usage()
	if err != nil {
		return 0, last, err
	}
	c := newCrowd(m.ctx, false)
	for i := range m.Cell.Callers {
		push, err := m.conns[i%len(m.conns)].Pusher(m.Cell.Body)
		if err != nil {
			return 0, last, err
		}
		c.add(push)
	}
	if _, err := c.run(measured, d); err != nil {
		return 0, last, err
	}
	if err := c.stop(); err != nil {
		return 0, last, err
	}
	_, _, failed, err := c.sum()
	m.fail(failed, err)
	sent = c.all()
	last, err = m.drain(before.Pushed + sent)
	return sent, last, err
}

// drain waits until the server has counted as many messages, or counts no more, and tells
// when it did so last.
func (m *measurement) drain(want int64) (last time.Time, err error) {
	last = time.Now()
	for came := int64(-1); ; {
		u, err := m.server.Usage()
		if err != nil {
			return last, err
		}
		if u.Pushed > came {
			came, last = u.Pushed, time.Now()
		}
		if came >= want || time.Since(last) > settle {
			return last, nil
		}
		if err := pause(m.ctx, poll); err != nil {
			return last, err
		}
	}
}

// idle has connections that do nothing after their first call.
func (m *measurement) idle() error {
	const some = 10 // so that what the first ones cost is no part of it
	if err := m.connect(some); err != nil {
		return err
	}
	if err := pause(m.ctx, settle); err != nil {
		return err
	}
	before, err := m.server.Collect()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := m.connect(m.Cell.Connections); err != nil {
		return err
	}
	n := float64(m.Cell.Connections)
	m.run.Count(int64(m.Cell.Connections), time.Since(start))
	if err := pause(m.ctx, settle); err != nil {
		return err
	}
	after, err := m.server.Usage()
	if err != nil {
		return err
	}
	m.run.RSSServer = after.RSS
	m.run.Connection = float64(after.RSS-before.RSS) / n
	if after, err = m.server.Collect(); err != nil {
		return err
	}
	m.run.ConnectionCollected = float64(after.RSS-before.RSS) / n
	m.run.ConnectionGoroutines = float64(after.Goroutines-before.Goroutines) / n
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
