package ws

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/coder/websocket"
)

// Handler makes websockets of requests. Make one with [NewHandler].
type Handler struct {
	options Options
	serve   func(net.Conn)
}

// NewHandler gives each websocket, once its handshake is over, to serve, which owns it
// then and returns soon: the endpoint's ServeConn does. How long a handshake may take
// and how many go on is up to the server that the handler is mounted on.
func NewHandler(o Options, serve func(net.Conn)) (*Handler, error) {
	o, err := o.normalise()
	if err != nil {
		return nil, fmt.Errorf("cannot make a handler: %w", err)
	}
	if serve == nil {
		return nil, errors.New("cannot make a handler: nobody serves its connections")
	}
	return &Handler{options: o, serve: serve}, nil
}

// ServeHTTP answers 403 to a page that may not connect, 400 or 426 to what is no
// handshake.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c := h.options.upgrade(w, r); c != nil {
		h.serve(c)
	}
}

// upgrade makes a websocket, or answers why not.
func (o Options) upgrade(w http.ResponseWriter, r *http.Request) *Conn {
	if err := o.checkPage(r); err != nil {
		o.refuse(w, r, http.StatusForbidden, err)
		return nil
	}
	if err := o.checkSubprotocols(r); err != nil {
		o.refuse(w, r, http.StatusBadRequest, err)
		return nil
	}
	h, ok := hijackerOf(w)
	if !ok {
		o.refuse(w, r, http.StatusNotImplemented, errors.New("the server does not give its connections away"))
		return nil
	}
	c := newConn(o, false)
	taker := &taker{ResponseWriter: w, hijacker: h}
	ws, err := websocket.Accept(taker, r, &websocket.AcceptOptions{
		Subprotocols: o.Subprotocols, InsecureSkipVerify: true, // the origin is checked
		CompressionMode: websocket.CompressionDisabled, OnPingReceived: c.ping,
	})
	if err != nil {
		o.log(r, err) // it has answered
		return nil
	}
	c.open(ws, taker.taken)
	return c
}

func (o Options) refuse(w http.ResponseWriter, r *http.Request, code int, err error) {
	o.log(r, err)
	http.Error(w, err.Error(), code)
}

func (o Options) log(r *http.Request, err error) {
	o.Logger.Debug("websocket refused", "peer", r.RemoteAddr, "error", err)
}

// checkPage refuses requests that a page of another host makes in its visitor's browser.
// Programs name no origin, or as older ones do, one that no page has.
func (o Options) checkPage(r *http.Request) error {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 || slices.Contains(o.Origins, "*") {
		return nil
	}
	u, err := url.Parse(origins[0])
	if err != nil || len(origins) > 1 {
		return errors.New("the origin cannot be read")
	}
	switch u.Scheme {
	case "ws", "wss":
		return nil
	case "http", "https":
		if strings.EqualFold(u.Host, r.Host) {
			return nil
		}
	}
	for _, allowed := range o.Origins {
		if strings.EqualFold(allowed, origins[0]) {
			return nil
		}
	}
	return errors.New("pages of this origin may not connect")
}

// checkSubprotocols refuses who asks for others only.
func (o Options) checkSubprotocols(r *http.Request) error {
	asked := r.Header.Values("Sec-WebSocket-Protocol")
	if len(asked) == 0 || len(o.Subprotocols) == 0 {
		return nil
	}
	for name := range strings.SplitSeq(strings.Join(asked, ","), ",") {
		for _, known := range o.Subprotocols {
			if strings.EqualFold(strings.TrimSpace(name), known) {
				return nil
			}
		}
	}
	return fmt.Errorf("none of these sub protocols is spoken here, there is %s", strings.Join(o.Subprotocols, ", "))
}

// hijackerOf looks below what wraps a response.
func hijackerOf(w http.ResponseWriter) (http.Hijacker, bool) {
	for {
		switch t := w.(type) {
		case http.Hijacker:
			return t, true
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return nil, false
		}
	}
}

// taker keeps the connection that a request came on.
type taker struct {
	http.ResponseWriter
	hijacker http.Hijacker
	taken    *line
}

// Hijack is for the library.
func (t *taker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := t.hijacker.Hijack()
	if err != nil {
		return nil, nil, err
	}
	t.taken = &line{Conn: conn}
	rw.Writer.Reset(t.taken) // the library reads from what it gets, but writes here
	return t.taken, rw, nil
}
