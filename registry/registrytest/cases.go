package registrytest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/dserver/dserver/registry"
)

type testCase struct {
	name string
	run  func(s *suite)
}

func cases() []testCase {
	return []testCase{
		{"WhatIsRegisteredIsFound", found},
		{"SeveralServices", severalServices},
		{"BadInputIsRefused", badInput},
		{"ClosingDeregisters", closing},
		{"ANewerRegistrationReplaces", replacing},
		{"ResultsBelongToTheCaller", ownership},
		{"ContextsEndCalls", contexts},
		{"ClosingTheRegistry", closingRegistry},
		{"ManyAtOnce", many},
		{"WatchersGetSnapshots", snapshots},
		{"F75WatchersComeAndGo", watchersComeAndGo},
		{"ASlowWatcherGetsTheLast", slowWatcher},
		{"AWatchTellsOfAnOutageOnce", watchOutage},
		{"RegistrationsAreRenewed", renewing},
		{"WhoVanishesIsForgotten", vanishing},
		{"F57RegistrationHealsAfterAnOutage", healing},
		{"F18StartingWithoutTheRegistry", startingWithout},
		{"F58AFailureToDeregisterIsReported", failingClose},
	}
}

func found(s *suite) {
	a, b := s.client(), s.client()
	s.expect(b)
	want := node("2")
	g := s.register(a, want)
	if !g.Node().Equal(want) || g.Err() != nil {
		s.Errorf("got %+v, %v", g.Node(), g.Err())
	}
	if got := s.expect(b, "2"); !got.Nodes[0].Equal(want) {
		s.Errorf("got %+v, want %+v", got.Nodes[0], want)
	}
	s.register(b, node("1"))
	s.register(a, node("3"))
	s.expect(a, "1", "2", "3")
	unnamed := s.register(a, registry.Node{Address: "tcp://10.0.0.9:80"})
	if id := unnamed.Node().ID; id != "users-tcp://10.0.0.9:80" {
		s.Errorf("got id %q", id)
	}
	s.expect(b, "1", "2", "3", "users-tcp://10.0.0.9:80")
}

func severalServices(s *suite) {
	r := s.client()
	// Names that begin alike, and the same id: they must not meet.
	for _, name := range []string{"users-2", "users.x", "user"} {
		if _, err := r.Register(s.context(), name, node("1")); err != nil {
			s.Fatal(err)
		}
	}
	s.expect(r)
	g := s.register(r, node("1"))
	s.expect(r, "1")
	s.close(g)
	s.expect(r)
	if other, err := r.Lookup(s.context(), "users-2"); err != nil || len(other.Nodes) != 1 || other.Name != "users-2" {
		s.Errorf("got %+v, %v", other, err)
	}
}

func badInput(s *suite) {
	r := s.client()
	for _, address := range []string{"0.0.0.0:80", "[::]:80", ":80", "tcp://0.0.0.0:80"} {
		_, err := r.Register(s.context(), service, registry.Node{Address: address})
		var bad *registry.AddressError
		if !errors.As(err, &bad) {
			s.Errorf("address %q: got %v", address, err)
		}
	}
	if _, err := r.Register(s.context(), "", node("1")); err == nil {
		s.Error("a service without a name is registered")
	}
	if _, err := r.Lookup(s.context(), "a/b"); err == nil {
		s.Error("a bad name is looked up")
	}
	n := 0
	for _, err := range r.Watch(s.context(), "a b") {
		if n++; err == nil || errors.Is(err, registry.ErrUnavailable) {
			s.Errorf("watching a bad name yields %v", err)
		}
	}
	if n != 1 {
		s.Errorf("watching a bad name yields %d times", n)
	}
	s.expect(r)
}

func closing(s *suite) {
	a, b := s.client(), s.client()
	g := s.register(a, node("1"))
	s.register(a, node("2"))
	s.close(g)
	s.expect(b, "2")
	s.close(g)
	if !errors.Is(g.Err(), registry.ErrClosed) || !errors.Is(g.Wait(s.context()), registry.ErrClosed) {
		s.Errorf("got %v and %v", g.Err(), g.Wait(s.context()))
	}
	s.register(a, node("1"))
	s.expect(b, "1", "2")
}

func replacing(s *suite) {
	a, b := s.client(), s.client()
	older := s.register(a, node("1"))
	n := node("1")
	n.Version = "2"
	newer := s.register(b, n)
	w := s.watch(s.context(), a)
	if got := w.until("1"); got.Nodes[0].Version != "2" {
		s.Errorf("got %+v", got)
	}
	// The older one notices when it renews; until then and later it changes nothing.
	ctx, cancel := context.WithTimeout(s.Context(), 2*s.TTL)
	defer cancel()
	for range b.Watch(ctx, service) {
		if now := s.expect(b, "1"); now.Nodes[0].Version != "2" {
			s.Fatalf("the older registration came back: %+v", now)
		}
	}
	if !errors.Is(older.Err(), registry.ErrReplaced) || !errors.Is(older.Wait(s.context()), registry.ErrReplaced) {
		s.Errorf("got %v and %v", older.Err(), older.Wait(s.context()))
	}
	s.close(older)
	s.expect(a, "1")
	s.close(newer)
	s.expect(a)
}

func ownership(s *suite) {
	r := s.client()
	given := node("1")
	g := s.register(r, given)
	given.Metadata["id"] = "changed"
	g.Node().Metadata["id"] = "changed"
	w := s.watch(s.context(), r)
	seen := w.until("1")
	seen.Nodes[0].Metadata["id"] = "changed"
	seen.Nodes[0].Address = "changed"
	s.expect(r, "1").Nodes[0].Metadata["id"] = "changed"
	if got := s.expect(r, "1").Nodes[0]; !got.Equal(node("1")) {
		s.Errorf("got %+v", got)
	}
	s.register(r, node("2"))
	if got := w.until("1", "2").Nodes[0]; !got.Equal(node("1")) {
		s.Errorf("got %+v", got)
	}
}

func contexts(s *suite) {
	r := s.client()
	ctx, cancel := context.WithCancel(s.context())
	g, err := r.Register(ctx, service, node("1"))
	if err != nil {
		s.Fatal(err)
	}
	w := s.watch(ctx, r)
	w.until("1")
	cancel()
	if now, err, ok := w.next(); ok {
		s.Errorf("a watch that was cancelled yields %+v, %v", now, err)
	}
	for now, err := range r.Watch(ctx, service) {
		s.Errorf("a watch that was cancelled before yields %+v, %v", now, err)
	}
	if _, err := r.Lookup(ctx, service); !errors.Is(err, context.Canceled) {
		s.Errorf("lookup: got %v", err)
	}
	if _, err := r.Register(ctx, service, node("2")); !errors.Is(err, context.Canceled) {
		s.Errorf("register: got %v", err)
	}
	// The registration does not end with the context that it was made in.
	if err := g.Wait(s.context()); err != nil {
		s.Error(err)
	}
	s.expect(r, "1")
}

func closingRegistry(s *suite) {
	a, b := s.client(), s.client()
	g := s.register(a, node("1"))
	s.register(b, node("2"))
	w := s.watch(s.context(), a)
	w.until("1", "2")
	if err := a.Close(s.context()); err != nil {
		s.Fatal(err)
	}
	s.expect(b, "2")
	if _, err, ok := w.next(); !ok || !errors.Is(err, registry.ErrClosed) {
		s.Errorf("watch: got %v", err)
	}
	if _, _, ok := w.next(); ok {
		s.Error("the watch goes on")
	}
	_, err := a.Register(s.context(), service, node("3"))
	_, err2 := a.Lookup(s.context(), service)
	for _, err := range []error{err, err2, g.Err()} {
		if !errors.Is(err, registry.ErrClosed) {
			s.Errorf("got %v", err)
		}
	}
	if err := a.Close(s.context()); err != nil {
		s.Error(err)
	}
}

func many(s *suite) {
	a, b := s.client(), s.client()
	var group sync.WaitGroup
	for _, r := range []registry.Registry{a, b} {
		for i := range 20 {
			group.Go(func() {
				g, err := r.Register(s.Context(), service, node(fmt.Sprintf("%p-%d", r, i)))
				if err == nil {
					err = g.Wait(s.Context())
				}
				if err == nil && i%2 == 0 {
					err = g.Close(s.Context())
				}
				if err == nil {
					_, err = r.Lookup(s.Context(), service)
				}
				if err != nil {
					s.Error(err)
				}
			})
		}
	}
	group.Wait()
	now, err := a.Lookup(s.context(), service)
	if err != nil || len(now.Nodes) != 20 {
		s.Errorf("got %d nodes, %v", len(now.Nodes), err)
	}
}
