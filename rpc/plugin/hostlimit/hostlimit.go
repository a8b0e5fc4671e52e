package hostlimit

import (
	"container/list"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/dserver/dserver/rpc"
)

// ErrLimit ends a session whose host has had enough of them.
var ErrLimit = errors.New("limit of a host")

// Options of the limits of each host; a zero field takes its default, a negative one is no
// limit.
type Options struct {
	Sessions int     // at once; default 1024
	Rate     float64 // new sessions per second in the long run; default 100
	Burst    int     // new sessions at once; default twice the Rate, at least 1
	Hosts    int     // remembered; default 65536, which a negative one means, too
}

// Plugin counts the sessions of each host. Make one with [New].
type Plugin struct {
	o Options

	mu      sync.Mutex
	hosts   map[netip.Prefix]*host
	idle    list.List // of those without sessions, the first is without them for the longest
	refused int64
}

var (
	_ rpc.AfterAccept     = (*Plugin)(nil)
	_ rpc.AfterDisconnect = (*Plugin)(nil)
)

// host is what is known of one.
type host struct {
	name     netip.Prefix
	sessions int
	bucket   bucket
	idle     *list.Element // nil while it has sessions
}

// New returns a plugin for rpc.Config.
func New(o Options) *Plugin {
	if o.Sessions == 0 {
		o.Sessions = 1024
	}
	if o.Rate == 0 {
		o.Rate = 100
	}
	if o.Burst <= 0 {
		o.Burst = int(max(2*o.Rate, 1))
	}
	if o.Hosts <= 0 {
		o.Hosts = 65536
	}
	return &Plugin{o: o, hosts: make(map[netip.Prefix]*host)}
}

// Name is "hostlimit".
func (p *Plugin) Name() string { return "hostlimit" }

// counted is the attribute of a session that was counted: hooks of other plugins may
// have refused it before.
type counted struct{ by *Plugin }

// AfterAccept counts the session, or closes it.
func (p *Plugin) AfterAccept(s rpc.EarlySession) error {
	name, ok := hostOf(s.RemoteAddr())
	if _, again := s.Attributes().Load(counted{p}); again || !ok {
		return nil
	}
	if err := p.enter(name, time.Now()); err != nil {
		return err
	}
	s.Attributes().Store(counted{p}, name)
	return nil
}

// AfterDisconnect takes a session off that was counted.
func (p *Plugin) AfterDisconnect(s rpc.BaseSession) error {
	v, ok := s.Attributes().Load(counted{p})
	if !ok {
		return nil
	}
	s.Attributes().Delete(counted{p})
	name, _ := v.(netip.Prefix)
	p.leave(name)
	return nil
}

// hostOf is not ok for what has no IP address.
func hostOf(a net.Addr) (netip.Prefix, bool) {
	if a == nil {
		return netip.Prefix{}, false
	}
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Prefix{}, false
	}
	ip := at.Addr().Unmap()
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	name, err := ip.WithZone("").Prefix(bits)
	return name, err == nil
}

func (p *Plugin) enter(name netip.Prefix, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	h, err := p.find(name, now)
	if err == nil {
		err = p.admit(h, now)
	}
	if err != nil {
		p.refused++
		return err
	}
	if h.idle != nil {
		p.idle.Remove(h.idle)
		h.idle = nil
	}
	h.sessions++
	return nil
}

// find makes room for a host that is new; the lock is held.
func (p *Plugin) find(name netip.Prefix, now time.Time) (*host, error) {
	if h := p.hosts[name]; h != nil {
		return h, nil
	}
	p.forget(now)
	if len(p.hosts) >= p.o.Hosts {
		return nil, fmt.Errorf("%w: %d others have sessions", ErrLimit, len(p.hosts))
	}
	h := &host{name: name, bucket: bucket{tokens: float64(p.o.Burst), at: now}}
	h.idle = p.idle.PushBack(h)
	p.hosts[name] = h
	return h, nil
}

// forget drops hosts that are as good as new, and one more if there are too many; the
// lock is held.
func (p *Plugin) forget(now time.Time) {
	for e := p.idle.Front(); e != nil; e = p.idle.Front() {
		h, _ := e.Value.(*host)
		h.bucket.fill(now, p.o.Rate, p.o.Burst)
		if len(p.hosts) < p.o.Hosts && h.bucket.tokens < float64(p.o.Burst) {
			return
		}
		p.idle.Remove(e)
		delete(p.hosts, h.name)
	}
}

// admit looks at the limits; the lock is held.
func (p *Plugin) admit(h *host, now time.Time) error {
	if p.o.Sessions > 0 && h.sessions >= p.o.Sessions {
		return fmt.Errorf("%w: %v has %d sessions", ErrLimit, h.name, h.sessions)
	}
	if p.o.Rate > 0 && !h.bucket.take(now, p.o.Rate, p.o.Burst) {
		return fmt.Errorf("%w: %v begins more than %v sessions per second", ErrLimit, h.name, p.o.Rate)
	}
	return nil
}

func (p *Plugin) leave(name netip.Prefix) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[name]
	if h == nil {
		return
	}
	if h.sessions--; h.sessions == 0 {
		h.idle = p.idle.PushBack(h)
	}
}

// Stats counts what happened since the plugin was made.
type Stats struct {
	Hosts   int   // remembered now
	Refused int64 // sessions
}

// Stats gives the counters now.
func (p *Plugin) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{Hosts: len(p.hosts), Refused: p.refused}
}
