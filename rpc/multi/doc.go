// Package multi is a pool of clients to one address, for more than one connection can
// carry: one that has many calls on their way, or bodies of many megabytes.
//
//	p := multi.New(e, "tcp://10.0.0.7:9091", multi.Options{Size: 4})
//	defer p.Close()
//	err := p.Call(ctx, "/math/add", []int{1, 2, 3}, &sum)
//
// A call goes to the client that has the fewest under way, to the first of equals: who
// calls rarely has one connection, who calls more has more. A client that cannot connect
// gets no calls for a second, and a call that met such a one goes to another that can;
// that is safe, because it was never written.
//
// Each client is as all are: it dials at its first call and again after a loss, and moves
// when its server goes. Each has its own session, so a server sees as many as there are,
// with ids and attributes of their own.
//
// Anybody may import the package; it imports rpc alone. All methods are safe for
// concurrent use.
package multi
