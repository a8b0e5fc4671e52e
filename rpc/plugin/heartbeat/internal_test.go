package heartbeat

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/transport/memory"
)

// both makes an endpoint whose two sessions are the ends of one connection.
func both(t *testing.T, plugins ...rpc.Plugin) (e *rpc.Endpoint, near, far *rpc.Session) {
	t.Helper()
	e, err := rpc.New(rpc.Config{Plugins: plugins})
	if err != nil {
		t.Fatal(err)
	}
	a, b := memory.Pipe(memory.Addr("x"))
	for _, end := range []struct {
		conn *memory.Conn
		s    **rpc.Session
	}{{a, &near}, {b, &far}} {
		if *end.s, err = e.ServeConn(end.conn); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Wait()
	return e, near, far
}

// TestQuestionsAreBounded: over the bound a session waits for its turn.
func TestQuestionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ping, err := NewPing(MinRate, Push)
		if err != nil {
			t.Fatal(err)
		}
		pong := NewPong()
		e, near, _ := both(t, ping, pong)
		ping.wheel.waiting.Store(mostWait)
		pong.wheel.waiting.Store(mostWait)
		pong.wheel.watch(near, MinRate)
		began := near.LastWrite()
		time.Sleep(MinRate + MinRate/2 + time.Second)
		if near.LastWrite() != began || ping.wheel.waiting.Load() != mostWait || pong.wheel.waiting.Load() != mostWait {
			t.Error("it is pinged over the bound")
		}
		ping.wheel.waiting.Store(0)
		time.Sleep(2 * tick)
		if near.LastWrite() == began {
			t.Error("it is not pinged below the bound")
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestProcessThatWasStopped looks at everything once, and gives its peers the time that
// it did not have itself.
func TestProcessThatWasStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pong := NewPong()
		e, near, far := both(t, pong)
		defer e.Close()
		pong.wheel.watch(near, MinRate)
		asked := far.LastRead()
		time.Sleep(tick / 2)

		// An hour passes in which the wheel does not turn.
		pong.wheel.mu.Lock()
		pong.wheel.start = pong.wheel.start.Add(-time.Hour)
		b := pong.wheel.beats[near]
		pong.wheel.mu.Unlock()
		time.Sleep(MinRate + MinRate/2)
		pong.wheel.mu.Lock()
		defer pong.wheel.mu.Unlock()
		if pong.wheel.turned < int64(time.Hour/tick) {
			t.Errorf("the wheel is at %d", pong.wheel.turned)
		}
		if near.Err() != nil || b.asked == nil || far.LastRead() == asked {
			t.Errorf("it is closed and was not asked: %v", near.Err())
		}
	})
}

// TestLongRates are longer than the wheel is round.
func TestLongRates(t *testing.T) {
	const rate = 10 * time.Minute
	if rate < 4*slots*tick {
		t.Fatal("it is not long")
	}
	for _, silent := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ping, err := NewPing(rate, Call)
			if err != nil {
				t.Fatal(err)
			}
			plugins := []rpc.Plugin{ping, NewPong()}
			e, err := rpc.New(rpc.Config{Plugins: plugins})
			if err != nil {
				t.Fatal(err)
			}
			near, far := memory.Pipe(memory.Addr("x"))
			s, err := e.ServeConn(near)
			if err != nil {
				t.Fatal(err)
			}
			if !silent {
				if _, err := e.ServeConn(far); err != nil {
					t.Fatal(err)
				}
			}
			began := time.Now()
			time.Sleep(rate - time.Second)
			if !s.LastWrite().Equal(began) {
				t.Error("it is pinged too early")
			}
			time.Sleep(2 * time.Second)
			if said := s.LastWrite().Sub(began); said < rate || said > rate+2*tick {
				t.Errorf("it was pinged after %v", said)
			}
			time.Sleep(rate - 2*time.Second)
			if s.Err() != nil {
				t.Error("it is closed too early")
			}
			time.Sleep(3 * time.Second)
			far.Close()
			synctest.Wait()
			if wrong := s.Err() == nil; silent && (wrong || !strings.Contains(s.Err().Error(), ErrSilent.Error())) {
				t.Errorf("silent %v: got %v", silent, s.Err())
			}
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLateHeartbeat of a session that has ended leaves nothing on the wheel.
func TestLateHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pong := NewPong()
		e, near, far := both(t, pong)
		near.Close()
		<-far.Done()
		<-near.Done()
		pong.wheel.watch(near, MinRate)
		time.Sleep(MinRate + tick)
		if pong.wheel.watches(near) {
			t.Error("it is on the wheel")
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		pong.wheel.watch(near, MinRate) // it turns no more
		if pong.wheel.watches(near) {
			t.Error("a wheel that stands still watches")
		}
	})
}

func FuzzRate(f *testing.F) {
	for _, seed := range []string{"", "0", "3", "30", "86401", "-1", "x", "+5", "99999999999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rate, ok := parseRate(text)
		if rate != 0 && (!ok || rate < MinRate || rate > maxRate) {
			t.Errorf("%q: got %v, %v", text, rate, ok)
		}
		seconds, err := strconv.ParseUint(text, 10, 16)
		if err == nil && (!ok || seconds >= 3 && rate != time.Duration(seconds)*time.Second) {
			t.Errorf("%q: got %v, %v", text, rate, ok)
		}
	})
}
