// Package hostlimit is a plugin that bounds what one host can take of an endpoint: how
// many sessions it has at once, and how often it may begin one.
//
//	p := hostlimit.New(hostlimit.Options{Sessions: 100, Rate: 10, Burst: 50})
//	e, err := rpc.New(rpc.Config{Plugins: []rpc.Plugin{p}})
//
// A host is an IPv4 address, or the 64 bits that begin an IPv6 address, because who has
// one of those has them all. Peers without such an address, on unix sockets for example,
// are not limited. Sessions that the endpoint dials are not counted.
//
// A session that is one too many is closed before anything is read from it; its Err is
// [ErrLimit]. Put the plugin before those that ask peers who they are. What comes before
// every plugin still costs something: rpc.Limits.Connections bounds that for all hosts
// together, a handshake of TLS is made first.
//
// # Memory
//
// A host is remembered while it has sessions or has not yet earned its whole burst back,
// and Options.Hosts bounds how many there are. When there are more, the host that has
// been without sessions for the longest is forgotten; if all have sessions, new hosts are
// turned away.
//
// # Who may import it
//
// Anybody; it imports rpc alone. A Plugin may be used by many endpoints, which then share
// its limits, and from any goroutine.
package hostlimit
