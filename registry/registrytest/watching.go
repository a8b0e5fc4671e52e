package registrytest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dserver/dserver/registry"
)

func snapshots(s *suite) {
	a, b := s.client(), s.client()
	w := s.watch(s.context(), b)
	w.until()
	one := s.register(a, node("1"))
	w.until("1")
	s.register(a, node("2"))
	w.until("1", "2")
	s.close(one)
	got := w.until("2")
	if !got.Nodes[0].Equal(node("2")) {
		s.Errorf("got %+v", got)
	}
}

func watchersComeAndGo(s *suite) {
	r := s.client()
	first, second := s.watch(s.context(), r), s.watch(s.context(), r)
	first.until()
	second.until()
	s.register(r, node("1"))
	first.until("1")
	second.until("1")
	first.stop()
	s.register(r, node("2"))
	second.until("1", "2")
	s.watch(s.context(), r).until("1", "2")
}

func slowWatcher(s *suite) {
	r := s.client()
	w := s.watch(s.context(), r)
	w.until()
	var ids []string
	for i := range 50 {
		ids = append(ids, fmt.Sprintf("%02d", i))
		s.register(r, node(ids[i]))
	}
	w.until(ids...)
}

func watchOutage(s *suite) {
	a, b := s.client(), s.client()
	w := s.watch(s.context(), b)
	s.register(a, node("1"))
	w.until("1")
	connect := s.cut(b)
	_, err, ok := w.next()
	if !ok || !errors.Is(err, registry.ErrUnavailable) {
		s.Fatalf("got %v", err)
	}
	if _, err := b.Lookup(s.context(), service); !errors.Is(err, registry.ErrUnavailable) {
		s.Errorf("lookup: got %v", err)
	}
	s.register(a, node("2"))
	timer := time.AfterFunc(s.TTL, connect) // the watch has to try several times
	defer timer.Stop()
	w.until("1", "2") // fails at a second error
}

// stays watches the service for a while, in which it has to have the nodes.
func (s *suite) stays(r registry.Registry, d time.Duration, ids ...string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), d)
	defer cancel()
	n := 0
	for now, err := range r.Watch(ctx, service) {
		if n++; err != nil || !has(now, ids) {
			s.Errorf("got %+v, %v, want nodes %q", now, err, ids)
		}
	}
	if n != 1 {
		s.Errorf("got %d snapshots, want one: nothing has changed", n)
	}
}

func renewing(s *suite) {
	a, b := s.client(), s.client()
	g := s.register(a, node("1"))
	s.stays(b, 3*s.TTL, "1")
	if err := g.Err(); err != nil {
		s.Error(err)
	}
	s.close(g)
	s.stays(b, 2*s.TTL)
}

func vanishing(s *suite) {
	a, b := s.client(), s.client()
	s.register(a, node("1"))
	s.register(b, node("2"))
	w := s.watch(s.context(), b)
	w.until("1", "2")
	start := time.Now()
	s.cut(a)
	w.until("2")
	s.within(start, s.TTL, "forgetting")
	s.expect(b, "2")
}

// F57: a registry that was away for long used to forget its nodes for ever.
func healing(s *suite) {
	a, b := s.client(), s.client()
	g := s.register(a, node("1"))
	w := s.watch(s.context(), b)
	w.until("1")
	connect := s.cut(a)
	w.until()
	s.stays(b, s.TTL)
	if err := g.Err(); !errors.Is(err, registry.ErrUnavailable) {
		s.Errorf("got %v", err)
	}
	start := time.Now()
	connect()
	got := w.until("1")
	s.within(start, s.TTL/3, "registering again")
	if !got.Nodes[0].Equal(node("1")) {
		s.Errorf("got %+v", got)
	}
	if err := g.Wait(s.context()); err != nil {
		s.Error(err)
	}
	s.stays(b, 2*s.TTL, "1")
	s.close(g)
	s.expect(b)
}

// F18: a program starts while the registry is down.
func startingWithout(s *suite) {
	a, b := s.client(), s.client()
	connect := s.cut(a)
	g, err := a.Register(s.context(), service, node("1"))
	if err != nil {
		s.Fatal(err)
	}
	if err := g.Err(); !errors.Is(err, registry.ErrUnavailable) {
		s.Errorf("got %v", err)
	}
	ctx, cancel := context.WithTimeout(s.Context(), s.TTL)
	defer cancel()
	if err := g.Wait(ctx); !errors.Is(err, registry.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		s.Errorf("got %v", err)
	}
	s.expect(b)
	start := time.Now()
	connect()
	if err := g.Wait(s.context()); err != nil || g.Err() != nil {
		s.Errorf("got %v and %v", err, g.Err())
	}
	s.within(start, s.TTL/3, "registering")
	s.expect(b, "1")
}

// F58: a program that stops in an outage.
func failingClose(s *suite) {
	a, b := s.client(), s.client()
	one, two := s.register(a, node("1")), s.register(a, node("2"))
	w := s.watch(s.context(), b)
	w.until("1", "2")
	connect := s.cut(a)
	if err := one.Close(s.context()); !errors.Is(err, registry.ErrUnavailable) {
		s.Errorf("got %v", err)
	}
	if err := one.Err(); !errors.Is(err, registry.ErrClosed) {
		s.Errorf("got %v", err)
	}
	connect()
	if err := two.Wait(s.context()); err != nil {
		s.Error(err)
	}
	// Only what is not closed is renewed.
	w.until("2")
	s.close(one)
	s.stays(b, 2*s.TTL, "2")
	disconnected := s.cut(a)
	if err := a.Close(s.context()); !errors.Is(err, registry.ErrUnavailable) {
		s.Errorf("got %v", err)
	}
	disconnected()
	if err := a.Close(s.context()); err != nil {
		s.Error(err)
	}
	s.expect(b)
}
