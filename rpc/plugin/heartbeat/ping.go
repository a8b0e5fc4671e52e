package heartbeat

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/status"
)

// Route is where heartbeats go.
const Route = "/heartbeat"

// metaRate is the metadata of a heartbeat: the rate in seconds.
const metaRate = "hb_"

// MinRate is the shortest rate.
const MinRate = 3 * time.Second

// Mode is how a [Ping] says something.
type Mode int

// The modes.
const (
	// Push says something when nothing was said for the rate. It wants no answer, and
	// does not find out whether the peer is there.
	Push Mode = iota
	// Call asks when nothing was said, or nothing was heard, for the rate, and closes a
	// session whose peer was not heard for twice that. Any answer will do.
	Call
)

// Ping is the plugin that says something. Make it with [NewPing].
type Ping struct {
	wheel wheel
	rate  time.Duration
	mode  Mode
	meta  rpc.CallOption
}

var (
	_ rpc.AfterNewEndpoint   = (*Ping)(nil)
	_ rpc.AfterCloseEndpoint = (*Ping)(nil)
	_ rpc.AfterDial          = (*Ping)(nil)
	_ rpc.AfterAccept        = (*Ping)(nil)
	_ rpc.AfterDisconnect    = (*Ping)(nil)
)

// NewPing makes a plugin for all sessions of its endpoints. The rate is at least
// [MinRate]; on the wire it is rounded up to full seconds.
func NewPing(rate time.Duration, mode Mode) (*Ping, error) {
	if rate < MinRate || mode != Push && mode != Call {
		return nil, fmt.Errorf("cannot make a ping of mode %d at the rate %v: the shortest is %v", mode, rate, MinRate)
	}
	seconds := int64((rate + time.Second - 1) / time.Second)
	p := &Ping{rate: rate, mode: mode, meta: rpc.WithMeta(metaRate, strconv.FormatInt(seconds, 10))}
	p.wheel.look = p.look
	return p, nil
}

// Name is "heartbeat-ping".
func (*Ping) Name() string { return "heartbeat-ping" }

// AfterNewEndpoint starts the goroutine.
func (p *Ping) AfterNewEndpoint(e *rpc.Endpoint) error {
	p.wheel.open(e)
	return nil
}

// AfterCloseEndpoint ends the goroutine with the last endpoint.
func (p *Ping) AfterCloseEndpoint(e *rpc.Endpoint, _ error) error { return p.wheel.close(e) }

// AfterDial begins with a session.
func (p *Ping) AfterDial(s rpc.EarlySession, _ bool) error { return p.AfterAccept(s) }

// AfterAccept begins with a session.
func (p *Ping) AfterAccept(s rpc.EarlySession) error {
	session, ok := s.(*rpc.Session)
	if !ok {
		return fmt.Errorf("cannot ping over a %T", s)
	}
	p.wheel.watch(session, p.rate)
	return nil
}

// AfterDisconnect forgets a session.
func (p *Ping) AfterDisconnect(s rpc.BaseSession) error {
	p.wheel.forget(s)
	return nil
}

// look pings if it is time. A ping that is on its way already gets as long as the rate.
func (p *Ping) look(now time.Time, b *beat) time.Duration {
	s := b.session
	if s.Err() != nil {
		return 0
	}
	heard, idle := now.Sub(s.LastRead()), now.Sub(s.LastWrite())
	if p.mode == Call {
		if heard >= 2*p.rate && b.asked != nil && !b.asked.over.Load() && b.askedInVain(now) {
			p.wheel.end(b)
			return 0
		}
		idle = max(idle, heard)
	}
	if idle < p.rate {
		return p.rate - idle
	}
	if b.asked != nil && !b.asked.over.Load() && now.Sub(b.asked.at) < p.rate {
		return p.rate - now.Sub(b.asked.at)
	}
	if !p.wheel.ask(now, b, p.say) {
		return tick
	}
	return p.rate + tick/2 // the ping itself is a little later than now
}

// say tells that the question is over: if it was answered, or if it could not be put.
func (p *Ping) say(ctx context.Context, s *rpc.Session) (over bool) {
	if p.mode == Push {
		_ = s.Push(ctx, Route, nil, p.meta) // a session that does not take it ends by itself
		return true
	}
	err := s.Call(ctx, Route, nil, nil, p.meta)
	return status.CodeOf(err) != status.HandleTimeout
}
