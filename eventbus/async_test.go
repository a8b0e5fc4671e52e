package eventbus_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dserver/dserver/eventbus"
)

func TestAsyncEventsComeInOrderOneAtATime(t *testing.T) {
	b := newBus(t)
	const publishers, events = 4, 500
	last := make(map[int]int)
	running := 0
	s := on(t, b, eventbus.Options{Async: true, Queue: 3, Full: eventbus.Wait}, func(_ context.Context, v [2]int) error {
		// The race detector sees it when two calls overlap.
		if running++; running != 1 {
			t.Errorf("%d calls at once", running)
		}
		if last[v[0]]++; v[1] != last[v[0]] {
			t.Errorf("publisher %d: got %d, want %d", v[0], v[1], last[v[0]])
		}
		running--
		return nil
	})
	var w sync.WaitGroup
	for p := range publishers {
		w.Go(func() {
			for i := range events {
				if err := eventbus.Emit(context.Background(), b, [2]int{p, i + 1}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	w.Wait()
	wait(t, b)
	if got := s.Stats(); got != (eventbus.Stats{Delivered: publishers * events}) {
		t.Errorf("got %+v", got)
	}
}

func TestASlowSubscriberDoesNotHoldThePublisherOrTheOthers(t *testing.T) {
	b := newBus(t)
	release := make(chan struct{})
	on(t, b, eventbus.Options{Async: true}, func(context.Context, tick) error { <-release; return nil })
	got := make(chan int)
	on(t, b, eventbus.Options{Async: true}, func(_ context.Context, v tick) error { got <- v.n; return nil })
	for i := range 3 {
		if err := eventbus.Emit(t.Context(), b, tick{i}); err != nil {
			t.Fatal(err)
		}
		if n := <-got; n != i {
			t.Errorf("got %d, want %d", n, i)
		}
	}
	close(release)
}

func TestAFullQueueRefuses(t *testing.T) {
	b := newBus(t)
	started, release := make(chan struct{}), make(chan struct{})
	var seen []int
	s := on(t, b, eventbus.Options{Name: "slow", Async: true, Queue: 2}, func(_ context.Context, v tick) error {
		seen = append(seen, v.n)
		if v.n == 0 {
			close(started)
			<-release
		}
		return nil
	})
	others := 0
	on(t, b, eventbus.Options{Priority: eventbus.Min}, func(context.Context, tick) error { others++; return nil })
	emit := func(n int) error { return eventbus.Emit(t.Context(), b, tick{n}) }
	if err := emit(0); err != nil {
		t.Fatal(err)
	}
	<-started
	if err := errors.Join(emit(1), emit(2)); err != nil {
		t.Fatal(err)
	}
	err := emit(3)
	if !errors.Is(err, eventbus.ErrFull) || !strings.Contains(err.Error(), "slow") {
		t.Errorf("got %v", err)
	}
	if got := s.Stats(); got != (eventbus.Stats{Dropped: 1, Waiting: 2}) {
		t.Errorf("got %+v", got)
	}
	close(release)
	wait(t, b)
	if !slices.Equal(seen, []int{0, 1, 2}) || others != 4 {
		t.Errorf("got %v, others %d", seen, others)
	}
}

func TestWaitingForRoomEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBus(t)
		release := make(chan struct{})
		s := on(t, b, eventbus.Options{Async: true, Queue: 1, Full: eventbus.Wait}, func(context.Context, tick) error {
			<-release
			return nil
		})
		_ = eventbus.Emit(t.Context(), b, tick{})
		synctest.Wait() // it is with the handler
		_ = eventbus.Emit(t.Context(), b, tick{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := eventbus.Emit(ctx, b, tick{})
		if !errors.Is(err, eventbus.ErrFull) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		waited := make(chan error)
		go func() { waited <- eventbus.Emit(context.Background(), b, tick{}) }()
		synctest.Wait()
		close(release)
		if err := <-waited; err != nil {
			t.Error(err)
		}
		wait(t, b)
		if got := s.Stats(); got != (eventbus.Stats{Delivered: 3, Dropped: 1}) {
			t.Errorf("got %+v", got)
		}
	})
}

// F15: in the old bus a panic of an asynchronous subscriber ended the process.
func TestF15AnAsyncFailureIsCountedAndEmitted(t *testing.T) {
	b := newBus(t)
	var failures []*eventbus.DeliveryError
	on(t, b, eventbus.Options{}, func(_ context.Context, e *eventbus.DeliveryError) error {
		failures = append(failures, e)
		return nil
	})
	s := subscribe(t, b, "a.*", eventbus.Options{Name: "worker", Async: true}, func(_ context.Context, e eventbus.Event) error {
		switch e.Data {
		case "panic":
			panic("at the disco")
		case "error":
			return io.EOF
		case "exit":
			runtime.Goexit()
		}
		return nil
	})
	for _, data := range []string{"panic", "fine", "error", "exit", "fine"} {
		if err := b.Publish(t.Context(), "a."+data, data); err != nil {
			t.Error(err)
		}
	}
	wait(t, b)
	if got := s.Stats(); got != (eventbus.Stats{Delivered: 2, Failed: 3}) {
		t.Errorf("got %+v", got)
	}
	if len(failures) != 3 {
		t.Fatalf("got %v", failures)
	}
	for i, event := range []string{"a.panic", "a.error", "a.exit"} {
		if failures[i].Event != event || failures[i].Subscriber != "worker" {
			t.Errorf("got %+v", failures[i])
		}
	}
	var p *eventbus.PanicError
	if !errors.As(failures[0], &p) || p.Value != "at the disco" || !errors.Is(failures[1], io.EOF) {
		t.Errorf("got %v", failures)
	}
}

func TestFailingToHandleFailuresDoesNotGoRound(t *testing.T) {
	b := newBus(t)
	bad := on(t, b, eventbus.Options{Async: true}, func(context.Context, *eventbus.DeliveryError) error { return io.EOF })
	worse := on(t, b, eventbus.Options{}, func(context.Context, *eventbus.DeliveryError) error { panic("too") })
	on(t, b, eventbus.Options{Async: true}, func(context.Context, tick) error { return io.EOF })
	if err := eventbus.Emit(t.Context(), b, tick{}); err != nil {
		t.Fatal(err)
	}
	wait(t, b)
	if bad.Stats() != (eventbus.Stats{Failed: 1}) || worse.Stats() != (eventbus.Stats{Failed: 1}) {
		t.Errorf("got %+v and %+v", bad.Stats(), worse.Stats())
	}
}

func TestAnAsyncHandlerOutlivesThePublishersContextWithItsValues(t *testing.T) {
	type key struct{}
	b := newBus(t)
	release := make(chan struct{})
	on(t, b, eventbus.Options{Async: true}, func(ctx context.Context, _ tick) error {
		<-release
		inner, cancel := context.WithCancel(ctx)
		defer cancel()
		if inner.Err() != nil || context.Cause(ctx) != nil || ctx.Value(key{}) != "value" {
			t.Errorf("got %v, %v, %v", inner.Err(), context.Cause(ctx), ctx.Value(key{}))
		}
		return nil
	})
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	if err := eventbus.Emit(ctx, b, tick{}); err != nil {
		t.Fatal(err)
	}
	cancel()
	close(release)
}

func TestRemovalDropsWhatIsQueued(t *testing.T) {
	b := newBus(t)
	started, release := make(chan struct{}), make(chan struct{})
	calls := 0
	s := on(t, b, eventbus.Options{Async: true}, func(context.Context, tick) error {
		calls++
		close(started)
		<-release
		return nil
	})
	for range 5 {
		if err := eventbus.Emit(t.Context(), b, tick{}); err != nil {
			t.Fatal(err)
		}
	}
	<-started
	s.Remove()
	select {
	case <-s.Done():
		t.Error("done while a call runs")
	default:
	}
	close(release)
	<-s.Done()
	if got := s.Stats(); calls != 1 || got != (eventbus.Stats{Delivered: 1, Dropped: 4}) {
		t.Errorf("%d calls, %+v", calls, got)
	}
}

func TestNothingIsCalledAfterDone(t *testing.T) {
	b := newBus(t)
	var w sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		w.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if err := eventbus.Emit(context.Background(), b, tick{}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	for i := range 30 {
		ended := false // without a lock: the race detector sees a call after Done
		called := make(chan struct{}, 1)
		o := eventbus.Options{}
		if i%2 == 0 {
			o = eventbus.Options{Async: true, Full: eventbus.Wait}
		}
		s := on(t, b, o, func(context.Context, tick) error {
			if ended {
				t.Error("called after Done")
			}
			select {
			case called <- struct{}{}:
			default:
			}
			return nil
		})
		<-called
		s.Remove()
		<-s.Done()
		ended = true
	}
	close(stop)
	w.Wait()
}

func TestCloseWaitsForWhatIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := eventbus.New()
		s := on(t, b, eventbus.Options{Async: true}, func(context.Context, tick) error { time.Sleep(time.Second); return nil })
		for range 10 {
			if err := eventbus.Emit(t.Context(), b, tick{}); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		wait(t, b)
		if got := time.Since(start); got != 10*time.Second || s.Stats().Delivered != 10 {
			t.Errorf("waited %v, %+v", got, s.Stats())
		}
		<-s.Done()
		if err := eventbus.Emit(t.Context(), b, tick{}); !errors.Is(err, eventbus.ErrClosed) {
			t.Errorf("emit: %v", err)
		}
		if err := b.Publish(t.Context(), "a", nil); !errors.Is(err, eventbus.ErrClosed) {
			t.Errorf("publish: %v", err)
		}
		if _, err := eventbus.On(b, eventbus.Options{}, func(context.Context, tick) error { return nil }); !errors.Is(err, eventbus.ErrClosed) {
			t.Errorf("on: %v", err)
		}
		wait(t, b)
	})
}

func TestCloseWaitsForPublishers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := eventbus.New()
		var inner error
		on(t, b, eventbus.Options{}, func(ctx context.Context, _ tick) error {
			time.Sleep(time.Minute)
			inner = eventbus.Emit(ctx, b, tick{})
			return nil
		})
		result := make(chan error, 1)
		go func() { result <- eventbus.Emit(context.Background(), b, tick{}) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		wait(t, b)
		if err := <-result; err != nil || !errors.Is(inner, eventbus.ErrClosed) {
			t.Errorf("got %v and %v", err, inner)
		}
	})
}

func TestCloseGivesUpAndNamesWhoStillRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := eventbus.New()
		release := make(chan struct{})
		polite := on(t, b, eventbus.Options{Name: "polite", Async: true}, func(ctx context.Context, _ tick) error {
			<-ctx.Done()
			if err := context.Cause(ctx); err != eventbus.ErrClosed {
				t.Errorf("the cause is %v", err)
			}
			return ctx.Err()
		})
		deaf := on(t, b, eventbus.Options{Name: "deaf", Async: true, Queue: 2, Full: eventbus.Wait}, func(context.Context, tick) error {
			<-release
			return nil
		})
		publishing, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		publisher := make(chan error, 1)
		go func() {
			var errs []error
			for range 4 {
				errs = append(errs, eventbus.Emit(publishing, b, tick{}))
			}
			publisher <- errors.Join(errs...)
		}()
		synctest.Wait()
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		err := b.Close(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "deaf") {
			t.Errorf("got %v", err)
		}
		// A publisher that waited for room is not left behind either.
		if err := <-publisher; !errors.Is(err, eventbus.ErrClosed) {
			t.Errorf("got %v", err)
		}
		close(release)
		wait(t, b)
		if got := polite.Stats(); got.Failed != 1 || got.Dropped != 3 {
			t.Errorf("polite: %+v", got)
		}
		if got := deaf.Stats(); got != (eventbus.Stats{Delivered: 1, Dropped: 3}) {
			t.Errorf("deaf: %+v", got)
		}
	})
}
