package event_test

import (
	"context"
	"fmt"
	"log"

	"github.com/dserver/dserver/eventbus"
	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/plugin/event"
)

// Who listens to "rpc.session.*" learns of each session twice.
func Example() {
	ctx := context.Background()
	bus := eventbus.New()
	defer bus.Close(ctx)
	e, err := rpc.New(rpc.Config{LastPlugins: []rpc.Plugin{event.New(bus, event.Options{})}})
	if err != nil {
		log.Fatal(err)
	}
	told := make(chan string)
	_, err = bus.Subscribe("rpc.session.*", eventbus.Options{}, func(_ context.Context, e eventbus.Event) error {
		switch data := e.Data.(type) {
		case event.Opened:
			told <- fmt.Sprint(e.Name, ", dialled: ", data.Session.Dialed())
		case event.Closed:
			told <- fmt.Sprint(e.Name, ": ", data.Reason)
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	ln, err := e.Listen(ctx, "tcp://127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go e.Serve(ln)

	other, err := rpc.New(rpc.Config{})
	if err != nil {
		log.Fatal(err)
	}
	s, err := other.Dial(ctx, "tcp://"+ln.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-told)
	s.Close()
	fmt.Println(<-told)
	other.Close()
	e.Close()
	// Output:
	// rpc.session.open, dialled: false
	// rpc.session.close: EOF
}
