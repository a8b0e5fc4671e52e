// Package event is a plugin that tells an event bus what happens in an endpoint.
//
//	bus := eventbus.New()
//	e, err := rpc.New(rpc.Config{LastPlugins: []rpc.Plugin{event.New(bus, event.Options{})}})
//	eventbus.On(bus, eventbus.Options{Async: true}, func(ctx context.Context, c event.Closed) error {
//		log.Print(c.Session.ID(), " has left: ", c.Reason)
//		return nil
//	})
//
// Each event is emitted by its type and, after that, published by its name with the same
// value as Data: "rpc.session.open", "rpc.session.close", "rpc.dial.failed", and with
// Options.Messages "rpc.message.received", "rpc.call.answered", "rpc.call.returned". So
// "rpc.session.*" means all of sessions. The types are sealed: [Event] lists them.
//
// # Promises
//
// Opened comes before the first message of its session, Closed once after its last, and
// only for a session that was Opened. A plugin behind this one may still turn a session
// away that was told of: that is why it stands in LastPlugins.
//
// Subscribers that are not Async run in the goroutine of the session or of the call: it
// waits for them. What they return goes to the log and changes nothing. Events of one
// session come in order, those of messages only as far as the messages do.
//
// # Who may import it
//
// Anybody; it imports rpc and eventbus. A Plugin may be used by many endpoints and from
// any goroutine. The bus is the user's, to be closed after the endpoints.
package event
