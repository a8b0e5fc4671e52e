package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// What is read of an answer, in bytes. The status is what counts; the rest is read
// at all because some servers complain of clients that leave in the middle.
const (
	maxHeader = 64 << 10
	maxBody   = 64 << 10
)

// maxInterim bounds how many answers before the answer (status 1xx) are taken.
const maxInterim = 8

// onUnix begins an address whose server listens on a unix socket.
const onUnix = "http://unix:"

// getter asks by a GET, on a connection of its own: each question finds out anew
// whether there is somebody to talk to. Package http's client would log what
// servers send unasked.
type getter struct {
	address string // as it was written
	url     string
	dial    dialer
	secure  *tls.Config // nil without TLS
}

func newGetter(address string) (func(context.Context) error, error) {
	if rest, ok := strings.CutPrefix(address, onUnix); ok {
		path, uri, _ := strings.Cut(rest, ":")
		if err := checkPath(path); err != nil {
			return nil, err
		}
		g := getter{address: address, url: "http://localhost" + rooted(uri), dial: dialer{"unix", path}}
		return g.ask, nil
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "" {
		return nil, fmt.Errorf("the address must be http://HOST:PORT/PATH, https://HOST:PORT/PATH or %sPATH:URI, not %q", onUnix, address)
	}
	g := getter{address: address, url: address}
	port := u.Port()
	if u.Scheme == "https" {
		// It is asked whether the program is well, not who it is.
		g.secure = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, ServerName: u.Hostname()}
		if port == "" {
			port = "443"
		}
	} else if port == "" {
		port = "80"
	}
	g.dial = dialer{"tcp", net.JoinHostPort(u.Hostname(), port)}
	return g.ask, nil
}

func rooted(uri string) string {
	if strings.HasPrefix(uri, "/") {
		return uri
	}
	return "/" + uri
}

func (g getter) ask(ctx context.Context) error {
	conn, err := g.dial.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if g.secure != nil {
		conn = tls.Client(conn, g.secure)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url, nil)
	if err == nil {
		r.Close = true
		r.Header.Set("User-Agent", "dserver-probe")
		err = r.Write(conn)
	}
	if err != nil {
		return fmt.Errorf("cannot get %s: %w", g.address, reason(ctx, err))
	}
	return g.read(ctx, r, &io.LimitedReader{R: conn, N: maxHeader})
}

func (g getter) read(ctx context.Context, r *http.Request, from *io.LimitedReader) error {
	buffered := bufio.NewReader(from)
	answer, err := http.ReadResponse(buffered, r)
	for i := 0; err == nil && answer.StatusCode < 200 && i < maxInterim; i++ {
		answer, err = http.ReadResponse(buffered, r)
	}
	if err != nil {
		switch {
		case from.N == 0:
			err = fmt.Errorf("its headers have more than %d bytes", maxHeader)
		case errors.Is(err, io.ErrUnexpectedEOF):
			err = errors.New("the connection was closed without an answer")
		}
		return fmt.Errorf("cannot get %s: %w", g.address, reason(ctx, err))
	}
	defer answer.Body.Close()
	if answer.StatusCode < 200 || answer.StatusCode > 399 {
		return fmt.Errorf("%s answers %s", g.address, printable(answer.Status, maxShown))
	}
	from.N = maxBody
	if _, err := io.Copy(io.Discard, answer.Body); err != nil && from.N > 0 {
		return fmt.Errorf("cannot read the answer of %s: %w", g.address, reason(ctx, err))
	}
	return nil
}
