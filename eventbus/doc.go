// Package eventbus tells the parts of one process what happens in the others.
//
// Events are typed or named. [Emit] takes a value of any type to those who
// subscribed to that type with [On]. [Bus.Publish] takes a name such as
// "user.created" and any data to those who subscribed to the name or to a
// pattern with [Bus.Subscribe]. The two kinds do not meet.
//
// # Patterns
//
// A name is words joined by dots. In a pattern a word may be a star:
//
//	a.b     the name a.b
//	a.*     one word below a: a.b, neither a nor a.b.c
//	a.*.c   any one word between: a.b.c
//	a.**    everything below a: a.b and a.b.c, not a
//	*       every name; so does **
//
// # Delivery
//
// Subscribers get an event in the order of their [Priority], those of the same
// priority in the order in which they subscribed. A synchronous subscriber is
// called by the goroutine that publishes, and the publisher gets its error. An
// asynchronous one (Options.Async) has a goroutine and a queue of its own: it
// gets its events one at a time, in the order in which they were published. Its
// queue is bounded; Options.Full says what happens when there is no room.
//
// An error does not keep the others from getting the event, unless it is or
// wraps [ErrAbort]: then those that would come later do not get it. A handler
// that panics has failed, nothing else; so has one that ends its goroutine with
// runtime.Goexit. What fails asynchronously is counted ([Subscription.Stats])
// and emitted as a *[DeliveryError], which anyone may subscribe to.
//
// # Removal and closing
//
// An event that is published after [Subscription.Remove] has returned does not
// reach the subscriber, and what waits in its queue is dropped; a call that is
// under way ends by itself, which [Subscription.Done] tells. Options.Once removes
// a subscriber with the first event that it takes, however many are published at
// the same time. [Bus.Close] refuses new events and waits for all deliveries,
// queued ones too.
//
// # Concurrency
//
// All methods and functions may be called from any goroutine, also from inside
// a handler; no lock is held while a handler runs. A synchronous handler is
// called by as many goroutines at once as publish. From inside a handler, do not
// wait for what waits for the handler: Bus.Close, Subscription.Done, or room in
// its own queue.
//
// Any package may import it but those below rpc; it imports internal packages
// only.
package eventbus
