package tcp

import (
	"context"
	"net"
)

// Transport is TCP with the defaults of package net: no delay, keep-alive on.
type Transport struct{}

// Scheme is "tcp".
func (Transport) Scheme() string { return "tcp" }

// Dial connects to host:port.
func (Transport) Dial(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", address)
}

// Listen opens host:port; port 0 takes a free one.
func (Transport) Listen(ctx context.Context, address string) (net.Listener, error) {
	var c net.ListenConfig
	return c.Listen(ctx, "tcp", address)
}
