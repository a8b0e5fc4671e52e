package sandbox_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/dserver/dserver/sandbox"
	"github.com/dserver/dserver/sandbox/sandboxtest"
)

// Greeter answers one line on each connection.
type Greeter struct{}

// Name is the sandbox's name.
func (Greeter) Name() string { return "greeter" }

// Serve accepts until the sandbox drains, and then waits for the connections that
// are open: when it returns, the context of their goroutines ends.
func (Greeter) Serve(_ context.Context, box *sandbox.Box) error {
	config := struct {
		Greeting string        `json:"greeting"`
		Patience time.Duration `json:"patience"`
	}{"hello", time.Minute}
	if err := box.Config(&config); err != nil {
		return err
	}
	listeners, err := box.Listeners()
	if err != nil {
		return err
	}
	box.Drain() // we watch it, through the listener: ctx is for the deadline
	box.Ready()
	var open sync.WaitGroup
	defer open.Wait()
	for {
		conn, err := listeners[0].Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		open.Add(1)
		box.Go("conn", func(context.Context) {
			defer open.Done()
			defer conn.Close()
			if conn.SetDeadline(time.Now().Add(config.Patience)) != nil {
				return
			}
			name, err := bufio.NewReader(conn).ReadString('\n')
			if err == nil {
				fmt.Fprint(conn, config.Greeting, " ", name)
			}
		})
	}
}

func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	greeter, err := sandboxtest.Start(ctx, Greeter{}, sandboxtest.Options{
		Config: map[string]any{"greeting": "good morning", "patience": "10s"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	conn, err := net.Dial("tcp", greeter.Addr())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Fprintln(conn, "Ann")
	answer, err := bufio.NewReader(conn).ReadString('\n')
	fmt.Print(answer)
	fmt.Println(err, conn.Close(), greeter.Close(ctx))
	// Output:
	// good morning Ann
	// <nil> <nil> <nil>
}
