package hostlimit

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"
)

func prefix(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
}

func TestHostOf(t *testing.T) {
	for text, want := range map[string]string{
		"10.1.2.3:80":               "10.1.2.3/32",
		"[::ffff:10.1.2.3]:80":      "10.1.2.3/32",
		"[2001:db8:1:2:3:4:5:6]:80": "2001:db8:1:2::/64",
		"[fe80::1:2:3:4%eth0]:80":   "fe80::/64",
		"@":                         "",
		"":                          "",
		"/run/socket":               "",
		"server":                    "",
	} {
		got, ok := hostOf(addr(text))
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%q: got %v, %v, want %q", text, got, ok, want)
		}
	}
	if _, ok := hostOf(nil); ok {
		t.Error("nothing has an address")
	}
	if got, ok := hostOf(&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1}); !ok || got != prefix(1) {
		t.Errorf("got %v", got)
	}
}

type addr string

func (addr) Network() string  { return "test" }
func (a addr) String() string { return string(a) }

func TestRateIsEarnedBack(t *testing.T) {
	p := New(Options{Rate: 10, Burst: 3, Sessions: -1})
	now := time.Unix(0, 0)
	enter := func(ok bool) {
		t.Helper()
		if err := p.enter(prefix(1), now); (err == nil) != ok || err != nil && !errors.Is(err, ErrLimit) {
			t.Errorf("at %v: %v", now.UnixMilli(), err)
		}
	}
	for range 3 {
		enter(true)
	}
	enter(false)
	now = now.Add(99 * time.Millisecond)
	enter(false)
	now = now.Add(time.Millisecond)
	enter(true)
	enter(false)
	now = now.Add(time.Hour)
	for range 3 {
		enter(true)
	}
	enter(false)
	now = now.Add(-time.Hour) // a clock may go back
	enter(false)
	if err := p.enter(prefix(2), now); err != nil {
		t.Errorf("another host: %v", err)
	}
}

func TestSessionsOfAHostAreCounted(t *testing.T) {
	p := New(Options{Sessions: 2, Rate: -1})
	now := time.Unix(0, 0)
	for range 1000 {
		for _, ok := range []bool{true, true, false} {
			if err := p.enter(prefix(1), now); (err == nil) != ok {
				t.Fatal(err)
			}
		}
		p.leave(prefix(1))
		p.leave(prefix(1))
	}
	if s := p.Stats(); s.Refused != 1000 || s.Hosts != 1 {
		t.Errorf("got %+v", s)
	}
	p.leave(prefix(2)) // unknown
}

// TestHostsAreBounded: the ones without sessions make room, those with some stay.
func TestHostsAreBounded(t *testing.T) {
	p := New(Options{Hosts: 100, Rate: 1, Burst: 2, Sessions: 10})
	now := time.Unix(0, 0)
	for i := range 100_000 {
		if err := p.enter(prefix(i), now); err != nil {
			t.Fatal(err)
		}
		if i >= 50 {
			p.leave(prefix(i))
		}
	}
	if n, idle := p.Stats().Hosts, p.idle.Len(); n != 100 || idle != 50 {
		t.Errorf("%d hosts, %d without sessions", n, idle)
	}
	// A host whose burst is back is as good as a new one.
	if err := p.enter(prefix(200_000), now.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if n := p.Stats().Hosts; n != 51 {
		t.Errorf("%d hosts", n)
	}
	full := New(Options{Hosts: 2})
	for i, ok := range []bool{true, true, false} {
		if err := full.enter(prefix(i), now); (err == nil) != ok {
			t.Errorf("host %d: %v", i, err)
		}
	}
	full.leave(prefix(0))
	if err := full.enter(prefix(2), now); err != nil {
		t.Error(err)
	}
}

// TestEachHostGetsItsShare: ten that come back each second, beside one that never stops.
func TestF115RatesHoldOverTime(t *testing.T) {
	p := New(Options{Sessions: 20, Rate: 5, Burst: 10})
	now := time.Unix(0, 0)
	taken := 0
	for tick := range 10_000 { // of 10 ms
		now = now.Add(10 * time.Millisecond)
		for range 10 {
			if p.enter(prefix(0), now) == nil {
				taken++
				p.leave(prefix(0))
			}
		}
		if tick%100 != 0 {
			continue
		}
		for i := 1; i <= 10; i++ {
			if err := p.enter(prefix(i), now); err != nil {
				t.Fatal(fmt.Errorf("second %d: host %d: %w", tick/100, i, err))
			}
			p.leave(prefix(i))
		}
	}
	if taken < 500 || taken > 511 {
		t.Errorf("%d sessions in 100 s", taken)
	}
}
