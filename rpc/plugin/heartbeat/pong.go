package heartbeat

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/status"
)

// ErrSilent is found by errors.Is in the Err of a session that was closed because its
// peer was silent.
var ErrSilent = errors.New("nothing is heard from the peer")

func silence(d time.Duration) error { return fmt.Errorf("%w for %v", ErrSilent, d) }

// maxRate is the longest rate that a peer may promise.
const maxRate = 24 * time.Hour

// Pong is the plugin that answers. Make it with [NewPong].
//
// It registers the routes /heartbeat and heartbeat, the latter for peers whose names of
// routes have no slashes. A peer that has pinged once must be heard twice as often as
// it said, be it by pings or by anything else. When three quarters of that time have
// passed in silence it is asked, by a CALL to /heartbeat that any peer answers, even one
// without the route: older peers ping late, and not at all while something comes to
// them.
type Pong struct{ wheel wheel }

var (
	_ rpc.AfterNewEndpoint   = (*Pong)(nil)
	_ rpc.AfterCloseEndpoint = (*Pong)(nil)
	_ rpc.AfterDisconnect    = (*Pong)(nil)
)

// NewPong makes a plugin for all sessions of its endpoints.
func NewPong() *Pong {
	p := new(Pong)
	p.wheel.look = p.look
	return p
}

// Name is "heartbeat-pong".
func (*Pong) Name() string { return "heartbeat-pong" }

// AfterNewEndpoint registers the routes and starts the goroutine.
func (p *Pong) AfterNewEndpoint(e *rpc.Endpoint) error {
	for _, route := range []string{Route, Route[1:]} {
		err := errors.Join(rpc.Handle(e, route, p.answer), rpc.HandlePush(e, route, p.hear))
		if err != nil {
			return err
		}
	}
	p.wheel.open(e)
	return nil
}

// AfterCloseEndpoint ends the goroutine with the last endpoint.
func (p *Pong) AfterCloseEndpoint(e *rpc.Endpoint, _ error) error { return p.wheel.close(e) }

// AfterDisconnect forgets a session.
func (p *Pong) AfterDisconnect(s rpc.BaseSession) error {
	p.wheel.forget(s)
	return nil
}

// hear takes a heartbeat. Its body, if there is one, is not looked at.
func (p *Pong) hear(ctx rpc.Context, _ []byte) error {
	text := ctx.Meta(metaRate)
	rate, ok := parseRate(text)
	switch {
	case rate > 0:
		p.wheel.watch(ctx.Session(), rate)
	case !ok && !p.wheel.watches(ctx.Session()):
		return status.New(status.BadMessage, fmt.Sprintf("invalid heartbeat rate %.20q", text))
	}
	return nil
}

// answer is hear for a CALL. To JSON it says null, as older peers do, to other codecs
// nothing.
func (p *Pong) answer(ctx rpc.Context, body []byte) ([]byte, error) {
	if err := p.hear(ctx, body); err != nil || ctx.Codec() != codec.IDJSON {
		return nil, err
	}
	ctx.SetCodec(codec.IDJSON)
	return []byte("null"), nil
}

// parseRate reads a number of seconds. 0 is no promise, and so is no text. A rate that
// is too short or too long is the shortest or the longest.
func parseRate(text string) (rate time.Duration, ok bool) {
	if text == "" {
		return 0, true
	}
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < 0 {
		return 0, false
	}
	if seconds == 0 {
		return 0, true
	}
	rate = time.Duration(min(seconds, int(maxRate/time.Second))) * time.Second
	return max(rate, MinRate), true
}

// look asks a silent peer, and closes one that does not answer.
func (p *Pong) look(now time.Time, b *beat) time.Duration {
	s := b.session
	if s.Err() != nil {
		return 0
	}
	heard := now.Sub(s.LastRead())
	askAfter, endAfter := b.rate+b.rate/2, 2*b.rate
	switch {
	case heard < askAfter:
		return askAfter - heard
	case b.asked == nil || !b.asked.at.After(s.LastRead()):
		if !p.wheel.ask(now, b, probe) {
			return tick
		}
		return b.rate / 2
	case heard >= endAfter && b.askedInVain(now):
		p.wheel.end(b)
		return 0
	default:
		return max(endAfter-heard, tick)
	}
}

// probe makes no promise of its own: it has no rate.
func probe(ctx context.Context, s *rpc.Session) (over bool) {
	_ = s.Call(ctx, Route, nil, nil) // what is heard counts, not what it says
	return true
}
