package httpdrain

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
)

// response tells the client of a draining server to go elsewhere for its next
// request. It offers what the response of net/http offers for HTTP/1.
type response struct {
	http.ResponseWriter
	conn  *conn
	begun bool // the header has been decided
}

var (
	_ http.Flusher    = (*response)(nil)
	_ http.Hijacker   = (*response)(nil)
	_ io.ReaderFrom   = (*response)(nil)
	_ io.StringWriter = (*response)(nil)
)

// begin decides the header, at the last moment that it can be changed.
func (w *response) begin() {
	if w.begun {
		return
	}
	w.begun = true
	if w.conn.tracker.draining.Load() {
		w.Header().Set("Connection", "close")
	}
}

// finish is for a handler that wrote nothing.
func (w *response) finish() {
	if !w.conn.isHijacked() {
		w.begin()
	}
}

// WriteHeader sends the header; 1xx announce a header that is still to come, and
// 101 hands the connection over to another protocol.
func (w *response) WriteHeader(code int) {
	if code >= 200 {
		w.begin()
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *response) Write(b []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(b)
}

func (w *response) WriteString(s string) (int, error) {
	w.begin()
	return io.WriteString(w.ResponseWriter, s)
}

// ReadFrom lets io.Copy use sendfile(2).
func (w *response) ReadFrom(r io.Reader) (int64, error) {
	w.begin()
	return io.Copy(w.ResponseWriter, r)
}

// Flush sends what is buffered.
func (w *response) Flush() {
	_ = w.FlushError() // http.Flusher has no place for it; the next Write fails too
}

// FlushError is Flush for http.ResponseController.
func (w *response) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack hands the connection to the caller, until the drain's deadline.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.conn.hijack()
	}
	return c, rw, err
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// LocalAddr is the real address. Until a handler took the connection it has a
// pocket in which the handler finds the connection: it is the one value of ours
// that any HTTP server passes on.
func (c *conn) LocalAddr() net.Addr {
	if c.isHijacked() {
		return c.Conn.LocalAddr()
	}
	return pocket{Addr: c.Conn.LocalAddr(), conn: c}
}

type pocket struct {
	net.Addr
	conn *conn
}

// connOf finds the connection a request came on, and returns the request with
// the pocket taken out of its context: handlers expect a *net.TCPAddr there.
func connOf(r *http.Request) (*conn, *http.Request) {
	p, ok := r.Context().Value(http.LocalAddrContextKey).(pocket)
	if !ok {
		return nil, r
	}
	return p.conn, r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, p.Addr))
}
