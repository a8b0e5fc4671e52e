package rpc_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dserver/dserver/rpc"
)

func TestTimesOfASessionDoNotGoByTheClockOnTheWall(t *testing.T) {
	s := onTCP(t, rpc.Config{}).dial()
	if err := s.Push(t.Context(), "/nowhere", nil); err != nil {
		t.Error(err)
	}
	for _, at := range []time.Time{s.LastRead(), s.LastWrite()} {
		if !strings.Contains(at.String(), " m=") {
			t.Errorf("%v has no reading of the clock that nobody sets", at)
		}
	}
}

func TestTimesOfASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, rpc.Config{}, rpc.Config{}, "mem://server")
		echo(t, b.server)
		s := b.dial()
		synctest.Wait()
		began := time.Now()
		accepted := b.accepted()
		want := func(what string, heard, said time.Duration) {
			t.Helper()
			for _, s := range []*rpc.Session{s, accepted} {
				if r, w := s.LastRead().Sub(began), s.LastWrite().Sub(began); r != heard || w != said {
					t.Errorf("%s: heard at %v, said at %v", what, r, w)
				}
				heard, said = said, heard
			}
		}
		want("at first", 0, 0)
		time.Sleep(time.Minute)
		want("in silence", 0, 0)
		if err := s.Push(t.Context(), "/nowhere", nil); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		want("after a push", 0, time.Minute)
		time.Sleep(time.Second)
		if err := s.Call(t.Context(), "/echo", "x", nil); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		want("after a call", time.Minute+time.Second, time.Minute+time.Second)
		b.server.Close()
		b.client.Close()
	})
}
