// Package ctl is the control API of a running master: HTTP/1.1 and JSON over a
// unix socket, versioned under /v1.
//
// It holds the wire types, one table of routes with the access each needs, a
// server and a client. A resource has one name in every layer: its wire type,
// its route, its client method and the command-line verb. Whatever the command
// line can do goes through this package, so a program can do it too, and
// `curl --unix-socket ctl.sock http://ctl/v1/info` answers a person.
//
// The server serves any [Master]; it knows nothing of how one works. The
// package imports nothing of ours but internal helpers. [Server] and [Client]
// are safe for concurrent use; wire types are plain data.
package ctl
