package eventbus_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/dserver/dserver/eventbus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type tick struct{ n int }

// newBus gives a bus that the test closes at its end.
func newBus(t testing.TB) *eventbus.Bus {
	t.Helper()
	b := eventbus.New()
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

func on[T any](t testing.TB, b *eventbus.Bus, o eventbus.Options, h func(context.Context, T) error) *eventbus.Subscription {
	t.Helper()
	s, err := eventbus.On(b, o, h)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func subscribe(t testing.TB, b *eventbus.Bus, pattern string, o eventbus.Options, h eventbus.Handler) *eventbus.Subscription {
	t.Helper()
	s, err := b.Subscribe(pattern, o, h)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// trace collects what handlers say, for handlers of one goroutine.
type trace []string

func (l *trace) handler(text string, err error) eventbus.Handler {
	return func(_ context.Context, e eventbus.Event) error {
		*l = append(*l, text+" "+e.Name)
		return err
	}
}

func (l *trace) expect(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(*l, want) {
		t.Errorf("got %q, want %q", *l, want)
	}
	*l = nil
}

func TestTypedEventsReachTheirTypeAlone(t *testing.T) {
	b := newBus(t)
	var ticks, words int
	on(t, b, eventbus.Options{}, func(_ context.Context, v tick) error { ticks += v.n; return nil })
	on(t, b, eventbus.Options{}, func(_ context.Context, v string) error { words++; return nil })
	subscribe(t, b, "*", eventbus.Options{}, func(_ context.Context, e eventbus.Event) error {
		t.Errorf("a typed event came as %q", e.Name)
		return nil
	})
	for _, err := range []error{
		eventbus.Emit(t.Context(), b, tick{2}),
		eventbus.Emit(t.Context(), b, &tick{100}),
		eventbus.Emit(t.Context(), b, 7),
		eventbus.Emit(t.Context(), b, eventbus.Event{Name: "a"}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if ticks != 2 || words != 0 {
		t.Errorf("got %d and %d", ticks, words)
	}
}

func TestTheStaticTypeOfAnEventCounts(t *testing.T) {
	b := newBus(t)
	var got []error
	for _, async := range []bool{false, true} {
		on(t, b, eventbus.Options{Async: async}, func(_ context.Context, v error) error { got = append(got, v); return nil })
	}
	if err := eventbus.Emit(t.Context(), b, io.EOF); err != nil {
		t.Fatal(err)
	}
	wait(t, b)
	if len(got) != 2 || got[0] != io.EOF || got[1] != io.EOF {
		t.Errorf("got %v", got)
	}
}

func TestANilInterfaceIsAnEventToo(t *testing.T) {
	b := newBus(t)
	var got atomic.Int32
	for _, async := range []bool{false, true} {
		on(t, b, eventbus.Options{Async: async}, func(_ context.Context, v error) error {
			if v == nil {
				got.Add(1)
			}
			return nil
		})
	}
	if err := eventbus.Emit[error](t.Context(), b, nil); err != nil {
		t.Fatal(err)
	}
	wait(t, b)
	if got.Load() != 2 {
		t.Errorf("%d subscribers got it, want 2", got.Load())
	}
}

// wait closes the bus, which waits for all deliveries.
func wait(t *testing.T, b *eventbus.Bus) {
	t.Helper()
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestSubscribersComeByPriorityThenByAge(t *testing.T) {
	b := newBus(t)
	var got trace
	levels := []eventbus.Priority{eventbus.Normal, eventbus.Max, eventbus.Low, eventbus.High, eventbus.Min,
		eventbus.AboveNormal, eventbus.BelowNormal}
	names := []string{"normal", "max", "low", "high", "min", "above", "below"}
	for i, p := range levels {
		// Lists of patterns and of exact names have to be merged in order.
		for j, pattern := range []string{"a.b", "a.*", "a.b", "*"} {
			subscribe(t, b, pattern, eventbus.Options{Priority: p}, got.handler(names[i]+string('0'+rune(j)), nil))
		}
	}
	if err := b.Publish(t.Context(), "a.b", nil); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, name := range []string{"max", "high", "above", "normal", "below", "low", "min"} {
		for j := range 4 {
			want = append(want, name+string('0'+rune(j))+" a.b")
		}
	}
	got.expect(t, want...)
}

// F59: in the old bus a.* did not get a.b, and the last subscriber of a name
// stayed after its removal.
func TestF59RemovedIsRemovedAndPatternsMatch(t *testing.T) {
	b := newBus(t)
	var got trace
	exact := subscribe(t, b, "a.b", eventbus.Options{}, got.handler("exact", nil))
	one := subscribe(t, b, "a.*", eventbus.Options{}, got.handler("one", nil))
	below := subscribe(t, b, "a.**", eventbus.Options{}, got.handler("below", nil))
	all := subscribe(t, b, "*", eventbus.Options{}, got.handler("all", nil))
	publish := func(want ...string) {
		t.Helper()
		for _, name := range []string{"a.b", "a.b.c", "b"} {
			if err := b.Publish(t.Context(), name, nil); err != nil {
				t.Fatal(err)
			}
		}
		got.expect(t, want...)
	}
	publish("exact a.b", "one a.b", "below a.b", "all a.b", "below a.b.c", "all a.b.c", "all b")
	exact.Remove()
	exact.Remove()
	publish("one a.b", "below a.b", "all a.b", "below a.b.c", "all a.b.c", "all b")
	one.Remove()
	publish("below a.b", "all a.b", "below a.b.c", "all a.b.c", "all b")
	below.Remove()
	all.Remove()
	publish()
	<-exact.Done()
	<-all.Done()
}

// F60: the old batch gave the error of one event to those after it too.
func TestF60ABatchReportsEachErrorOnce(t *testing.T) {
	b := newBus(t)
	subscribe(t, b, "bad", eventbus.Options{}, func(context.Context, eventbus.Event) error { return io.EOF })
	errs := b.PublishBatch(t.Context(), eventbus.Event{Name: "a"}, eventbus.Event{Name: "bad"},
		eventbus.Event{Name: "b"}, eventbus.Event{Name: "not..valid"}, eventbus.Event{Name: "c"})
	if len(errs) != 5 || errs[0] != nil || !errors.Is(errs[1], io.EOF) || errs[2] != nil || errs[3] == nil || errs[4] != nil {
		t.Errorf("got %q", errs)
	}
}

func TestAnErrorDoesNotStopTheOthers(t *testing.T) {
	b := newBus(t)
	var got trace
	subscribe(t, b, "a", eventbus.Options{Name: "first"}, got.handler("1", io.EOF))
	subscribe(t, b, "a", eventbus.Options{}, got.handler("2", nil))
	subscribe(t, b, "*", eventbus.Options{}, got.handler("3", io.ErrNoProgress))
	err := b.Publish(t.Context(), "a", nil)
	got.expect(t, "1 a", "2 a", "3 a")
	want := "subscriber first cannot handle event a: EOF\n" +
		"subscriber * cannot handle event a: " + io.ErrNoProgress.Error()
	if err == nil || err.Error() != want || !errors.Is(err, io.EOF) || !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("got %v", err)
	}
	var failed *eventbus.DeliveryError
	if !errors.As(err, &failed) || failed.Event != "a" || failed.Subscriber != "first" {
		t.Errorf("got %+v", failed)
	}
}

func TestAbortKeepsAnEventFromThoseWhoComeLater(t *testing.T) {
	b := newBus(t)
	var got trace
	veto := errors.Join(errors.New("not today"), eventbus.ErrAbort)
	subscribe(t, b, "*", eventbus.Options{Priority: eventbus.Low}, got.handler("low", nil))
	late := subscribe(t, b, "a", eventbus.Options{Priority: eventbus.Low, Async: true}, got.handler("async", nil))
	subscribe(t, b, "a", eventbus.Options{}, got.handler("veto", veto))
	subscribe(t, b, "a", eventbus.Options{Priority: eventbus.Max}, got.handler("max", nil))
	if err := b.Publish(t.Context(), "a", nil); !errors.Is(err, eventbus.ErrAbort) || !strings.Contains(err.Error(), "not today") {
		t.Errorf("got %v", err)
	}
	wait(t, b)
	got.expect(t, "max a", "veto a")
	if s := late.Stats(); s != (eventbus.Stats{}) {
		t.Errorf("got %+v", s)
	}
}

func TestAPanicIsAFailureAndNothingElse(t *testing.T) {
	b := newBus(t)
	calls := 0
	s := on(t, b, eventbus.Options{}, func(_ context.Context, v tick) error { panic(io.EOF) })
	on(t, b, eventbus.Options{}, func(_ context.Context, v tick) error { calls++; return nil })
	for range 2 {
		err := eventbus.Emit(t.Context(), b, tick{})
		var p *eventbus.PanicError
		if !errors.As(err, &p) || !errors.Is(err, io.EOF) || !strings.Contains(string(p.Stack), "bus_test.go") {
			t.Errorf("got %v", err)
		}
	}
	if calls != 2 || s.Stats() != (eventbus.Stats{Failed: 2}) {
		t.Errorf("%d calls, %+v", calls, s.Stats())
	}
}

func TestAHandlerThatEndsTheGoroutineLeavesTheBusWhole(t *testing.T) {
	b := eventbus.New()
	s := on(t, b, eventbus.Options{}, func(context.Context, tick) error { runtime.Goexit(); return nil })
	var w sync.WaitGroup
	w.Go(func() { _ = eventbus.Emit(context.Background(), b, tick{}) })
	w.Wait()
	s.Remove()
	<-s.Done()
	wait(t, b)
	if s.Stats() != (eventbus.Stats{Failed: 1}) {
		t.Errorf("got %+v", s.Stats())
	}
}

func TestOnceIsOnceHoweverManyPublish(t *testing.T) {
	b := newBus(t)
	for range 10 {
		var all []*eventbus.Subscription
		for i := range 200 { // each one is a chance to be taken twice
			all = append(all, on(t, b, eventbus.Options{Once: true, Async: i%2 == 0}, func(context.Context, tick) error {
				return nil
			}))
		}
		start := make(chan struct{})
		var w sync.WaitGroup
		for range 4 {
			w.Go(func() {
				<-start
				if err := eventbus.Emit(context.Background(), b, tick{}); err != nil {
					t.Error(err)
				}
			})
		}
		close(start)
		w.Wait()
		for _, s := range all {
			<-s.Done()
			if s.Stats() != (eventbus.Stats{Delivered: 1}) {
				t.Fatalf("got %+v", s.Stats())
			}
		}
	}
}

func TestOnceIsNotUsedUpByAnEventThatIsAborted(t *testing.T) {
	b := newBus(t)
	var got trace
	veto := subscribe(t, b, "a", eventbus.Options{Priority: eventbus.High}, got.handler("veto", eventbus.ErrAbort))
	subscribe(t, b, "a", eventbus.Options{Once: true}, got.handler("once", nil))
	_ = b.Publish(t.Context(), "a", nil)
	veto.Remove()
	for range 2 {
		if err := b.Publish(t.Context(), "a", nil); err != nil {
			t.Error(err)
		}
	}
	got.expect(t, "veto a", "once a")
}

func TestHandlersMayUseTheBus(t *testing.T) {
	b := newBus(t)
	var got trace
	var self *eventbus.Subscription
	self = subscribe(t, b, "a", eventbus.Options{}, func(ctx context.Context, e eventbus.Event) error {
		self.Remove()
		subscribe(t, b, "a", eventbus.Options{}, got.handler("new", nil))
		return b.Publish(ctx, "b.c", e.Data)
	})
	subscribe(t, b, "b.*", eventbus.Options{}, got.handler("inner", nil))
	for range 2 {
		if err := b.Publish(t.Context(), "a", nil); err != nil {
			t.Fatal(err)
		}
	}
	got.expect(t, "inner b.c", "new a")
}

func TestBadInputIsRefused(t *testing.T) {
	b := newBus(t)
	h := func(context.Context, eventbus.Event) error { return nil }
	for what, o := range map[string]eventbus.Options{
		"priority":       {Priority: 1},
		"full":           {Async: true, Full: 7},
		"negative queue": {Async: true, Queue: -1},
		"huge queue":     {Async: true, Queue: 1<<20 + 1},
		"queue of none":  {Queue: 1},
		"full of none":   {Full: eventbus.Wait},
	} {
		if _, err := b.Subscribe("a", o, h); err == nil || !strings.HasPrefix(err.Error(), "cannot subscribe to a: ") {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if _, err := b.Subscribe("a", eventbus.Options{}, nil); err == nil {
		t.Error("no handler: got no error")
	}
	if _, err := b.Subscribe("a.**.b", eventbus.Options{}, h); err == nil {
		t.Error("pattern: got no error")
	}
	if err := b.Publish(t.Context(), "a.*", nil); err == nil {
		t.Error("name: got no error")
	}
	var none context.Context
	if err := b.Publish(none, "a", nil); err == nil {
		t.Error("context: got no error")
	}
}
