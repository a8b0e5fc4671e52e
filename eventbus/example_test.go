package eventbus_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/dserver/dserver/eventbus"
)

type userCreated struct{ Name string }

func Example() {
	ctx := context.Background()
	bus := eventbus.New()
	defer bus.Close(ctx)

	eventbus.On(bus, eventbus.Options{}, func(ctx context.Context, u userCreated) error {
		fmt.Println("welcome,", u.Name)
		return nil
	})
	eventbus.On(bus, eventbus.Options{Priority: eventbus.High}, func(ctx context.Context, u userCreated) error {
		if u.Name == "" {
			return fmt.Errorf("a user has a name: %w", eventbus.ErrAbort)
		}
		return nil
	})
	fmt.Println(eventbus.Emit(ctx, bus, userCreated{Name: "Ada"}))
	fmt.Println(errors.Is(eventbus.Emit(ctx, bus, userCreated{}), eventbus.ErrAbort))
	// Output:
	// welcome, Ada
	// <nil>
	// true
}

func ExampleBus_Subscribe() {
	ctx := context.Background()
	bus := eventbus.New()
	bus.Subscribe("order.*", eventbus.Options{Async: true}, func(ctx context.Context, e eventbus.Event) error {
		fmt.Println(e.Name, e.Data)
		return nil
	})
	bus.Publish(ctx, "order.paid", 17)
	bus.Publish(ctx, "order.item.added", "not for one star")
	bus.Publish(ctx, "order.sent", 17)
	fmt.Println(bus.Close(ctx)) // waits for both
	// Output:
	// order.paid 17
	// order.sent 17
	// <nil>
}
