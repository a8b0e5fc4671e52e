// Package gfservice makes a sandbox service of a goframe server (ghttp).
//
// Routes, middleware, sessions and templates are goframe's, as its users know
// them. Sockets, signals, reload and draining are not: ghttp is given the sandbox's
// listeners, its own graceful restart is off, and connections are let go without
// losing a request, by the same code as in httpservice.
//
// Applications import it. A service may be served again after it has ended, as
// [sandbox.Service] demands: each time it makes a fresh ghttp server.
package gfservice
