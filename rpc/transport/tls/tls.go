package tls

import (
	"context"
	stdtls "crypto/tls"
	"errors"
	"net"

	"github.com/dserver/dserver/rpc/transport/tcp"
)

// Transport is TLS over TCP. Config must not be changed once it is in use.
type Transport struct {
	// Config needs Certificates, or a function that gives them, to listen. To dial it may
	// be nil; ServerName is then, as with an empty one, the host of the address.
	Config *stdtls.Config
}

// Scheme is "tls".
func (Transport) Scheme() string { return "tls" }

// Dial connects to host:port and completes the handshake.
func (t Transport) Dial(ctx context.Context, address string) (net.Conn, error) {
	d := stdtls.Dialer{Config: t.Config}
	return d.DialContext(ctx, "tcp", address)
}

// Listen opens host:port; port 0 takes a free one.
func (t Transport) Listen(ctx context.Context, address string) (net.Listener, error) {
	if c := t.Config; c == nil || len(c.Certificates) == 0 && c.GetCertificate == nil && c.GetConfigForClient == nil {
		return nil, errors.New("cannot listen on tls://" + address + ": the transport has no certificate")
	}
	ln, err := tcp.Transport{}.Listen(ctx, address)
	if err != nil {
		return nil, err
	}
	return stdtls.NewListener(ln, t.Config), nil
}
