package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/dserver/dserver/rpc"
)

// caller calls over the one session that all callers of its class share.
type caller struct {
	session *rpc.Client
	sleep   time.Duration // 0: a call that is answered at once
}

func (c *caller) do() error {
	ctx, cancel := context.WithTimeout(context.Background(), c.sleep+patience)
	defer cancel()
	if c.sleep == 0 {
		return add(func(request, reply any) error { return c.session.Call(ctx, "/math/add", request, reply) })
	}
	var build string
	err := c.session.Call(ctx, "/math/sleep", c.sleep.Milliseconds(), &build)
	if err == nil && build == "" {
		err = fmt.Errorf("got an empty answer")
	}
	return err
}

// close leaves the session to the endpoint.
func (c *caller) close() {}

// dialler makes a session for each call.
type dialler struct {
	endpoint *rpc.Endpoint
	address  string
}

func (d *dialler) do() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	session, err := d.endpoint.Dial(ctx, d.address)
	if err != nil {
		return err
	}
	defer func() {
		_ = session.Close() // the answer has come, or the error that counts
		<-session.Done()
	}()
	return add(func(request, reply any) error { return session.Call(ctx, "/math/add", request, reply) })
}

func (d *dialler) close() {}

// add asks for a sum that no other call asks for.
func add(call func(request, reply any) error) error {
	numbers := []int{rand.IntN(1 << 30), rand.IntN(1 << 30)}
	var sum int
	if err := call(numbers, &sum); err != nil {
		return err
	}
	if want := numbers[0] + numbers[1]; sum != want {
		return fmt.Errorf("got %d, want %d", sum, want)
	}
	return nil
}
