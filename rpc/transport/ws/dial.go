package ws

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/coder/websocket"
)

// Transport dials and listens on ws://host:port/path, or wss://host:port/path if there
// is Options.TLS. Its value must not change while it is used.
type Transport struct {
	Options Options
}

// Scheme is "ws", or "wss" with TLS.
func (t Transport) Scheme() string {
	if t.Options.TLS != nil {
		return "wss"
	}
	return "ws"
}

// Listen opens host:port/path; port 0 takes a free one, no path is /.
func (t Transport) Listen(ctx context.Context, address string) (net.Listener, error) {
	u, err := t.parse(address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen: %w", err)
	}
	if u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("cannot listen on %s: the address has more than host, port and path", u.Redacted())
	}
	o := t.Options
	o.Path = u.Path
	var c net.ListenConfig
	ln, err := c.Listen(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	l, err := NewListener(ln, o)
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return l, nil
}

// Dial connects to host:port/path?query; no port is 80 or 443, no path is /. It uses no
// proxy and follows no redirection. A server that refuses is a *[HandshakeError].
func (t Transport) Dial(ctx context.Context, address string) (net.Conn, error) {
	o, err := t.Options.normalise()
	if err != nil {
		return nil, fmt.Errorf("cannot dial: %w", err)
	}
	u, err := t.parse(address)
	if err != nil {
		return nil, fmt.Errorf("cannot dial: %w", err)
	}
	conn, err := o.connect(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("cannot dial %s: %w", u.Redacted(), err)
	}
	c, err := o.shakeHands(ctx, u, conn)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("cannot dial %s: %w", u.Redacted(), err)
	}
	return c, nil
}

func (t Transport) parse(address string) (*url.URL, error) {
	u, err := url.Parse(t.Scheme() + "://" + address)
	if err != nil {
		return nil, err
	}
	if u.Host == "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is not an address: it looks like host:port/path", address)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}

// connect makes the connection below, with TLS.
func (o Options) connect(ctx context.Context, u *url.URL) (net.Conn, error) {
	port := u.Port()
	switch {
	case port != "":
	case o.TLS != nil:
		port = "443"
	default:
		port = "80"
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil || o.TLS == nil {
		return conn, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.HandshakeTime)
	defer cancel()
	secure := tls.Client(conn, o.tlsConfig(u.Hostname()))
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// tlsConfig asks for the version of HTTP that has websockets.
func (o Options) tlsConfig(server string) *tls.Config {
	c := o.TLS.Clone()
	c.NextProtos = []string{"http/1.1"}
	if c.ServerName == "" {
		c.ServerName = server
	}
	return c
}

// shakeHands makes a websocket of conn.
func (o Options) shakeHands(ctx context.Context, u *url.URL, conn net.Conn) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, o.HandshakeTime)
	defer cancel()
	below := &line{Conn: conn}
	take := func(context.Context, string, string) (net.Conn, error) { return below, nil }
	client := &http.Client{
		Transport: &http.Transport{
			DialContext: take, DialTLSContext: take,
			DisableKeepAlives: true, MaxResponseHeaderBytes: maxHeader, Protocols: onlyHTTP1(),
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c := newConn(o, true)
	ws, answer, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{
		HTTPClient: client, HTTPHeader: o.header(u), Subprotocols: o.Subprotocols,
		CompressionMode: websocket.CompressionDisabled, OnPingReceived: c.ping,
	})
	if err != nil {
		return nil, refusal(answer, err)
	}
	c.open(ws, below)
	return c, nil
}

// header has an Origin that no browser sends, because older servers want one.
func (o Options) header(u *url.URL) http.Header {
	h := o.Header.Clone()
	if h == nil {
		h = make(http.Header)
	}
	if h.Get("Origin") == "" {
		h.Set("Origin", u.Scheme+"://"+u.Host+u.EscapedPath())
	}
	return h
}

// HandshakeError is the answer of a server that made no websocket.
type HandshakeError struct {
	Status int    // of HTTP
	Text   string // the start of its body, may be empty
}

// Error has both.
func (e *HandshakeError) Error() string {
	text := fmt.Sprintf("the server answered %d %s", e.Status, http.StatusText(e.Status))
	if e.Text != "" {
		text += ": " + e.Text
	}
	return text
}

// refusal says what is behind a failed handshake.
func refusal(answer *http.Response, err error) error {
	if answer == nil || answer.StatusCode == http.StatusSwitchingProtocols {
		return err
	}
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 200)) // it is in memory
	return &HandshakeError{Status: answer.StatusCode, Text: strings.TrimSpace(string(text))}
}

// maxHeader is how many bytes the header of a handshake has at most.
const maxHeader = 32 << 10

func onlyHTTP1() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	return p
}
