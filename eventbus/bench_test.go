package eventbus_test

import (
	"context"
	"testing"

	"github.com/dserver/dserver/eventbus"
)

// threeSubscribers gives a bus whose typed and named events go to three each.
func threeSubscribers(t testing.TB) (b *eventbus.Bus, sum *int) {
	b, sum = newBus(t), new(int)
	for range 3 {
		on(t, b, eventbus.Options{}, func(_ context.Context, v tick) error { *sum += v.n; return nil })
	}
	for _, pattern := range []string{"a.b", "a.*", "*"} {
		subscribe(t, b, pattern, eventbus.Options{}, func(context.Context, eventbus.Event) error { *sum++; return nil })
	}
	return b, sum
}

func TestPublishingDoesNotAllocate(t *testing.T) {
	b, sum := threeSubscribers(t)
	ctx := t.Context()
	for name, publish := range map[string]func(){
		"typed": func() { _ = eventbus.Emit(ctx, b, tick{1}) },
		"named": func() { _ = b.Publish(ctx, "a.b", nil) },
	} {
		*sum = 0
		if n := testing.AllocsPerRun(100, publish); n != 0 || *sum != 303 {
			t.Errorf("%s: %v allocations, %d calls", name, n, *sum)
		}
	}
}

func BenchmarkEmitTo3(b *testing.B) {
	bus, _ := threeSubscribers(b)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		_ = eventbus.Emit(ctx, bus, tick{1})
	}
}

func BenchmarkPublishTo3(b *testing.B) {
	bus, _ := threeSubscribers(b)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		_ = bus.Publish(ctx, "a.b", nil)
	}
}

func BenchmarkEmitAsync(b *testing.B) {
	bus := newBus(b)
	on(b, bus, eventbus.Options{Async: true, Full: eventbus.Wait}, func(context.Context, tick) error { return nil })
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		_ = eventbus.Emit(ctx, bus, tick{1})
	}
}
