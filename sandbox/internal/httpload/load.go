package httpload

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/dserver/dserver/internal/group"
)

// Result is what became of the requests of one class.
type Result struct {
	Class    string
	Requests int
	Failed   int
	First    error // of the failures
}

// String is one line for a test's log.
func (r Result) String() string {
	s := fmt.Sprintf("%s: %d requests, %d failed", r.Class, r.Requests, r.Failed)
	if r.First != nil {
		s += fmt.Sprintf(" (%v)", r.First)
	}
	return s
}

// class is one way to use a server.
type class struct {
	name    string
	clients int
	keep    bool // the connection, until the server says close
	method  string
	target  string
	pause   time.Duration // at most, between two requests
}

func classes() []class {
	return []class{
		{name: "new connection", clients: 4, method: "GET", target: "/", pause: time.Millisecond},
		{name: "kept GET", clients: 4, keep: true, method: "GET", target: "/", pause: time.Millisecond},
		{name: "kept POST", clients: 4, keep: true, method: "POST", target: "/echo", pause: time.Millisecond},
		{name: "kept POST with pauses", clients: 8, keep: true, method: "POST", target: "/echo", pause: 100 * time.Millisecond},
		{name: "2 s requests", clients: 16, keep: true, method: "GET", target: "/sleep?ms=2000", pause: 300 * time.Millisecond},
	}
}

// Load is clients at work. Make one with [Start].
type Load struct {
	network, address string
	clients          *group.Group

	mu      sync.Mutex
	results []Result
}

// Start sets clients to work on a server that serves [Handler] or the like.
func Start(ctx context.Context, network, address string) *Load {
	l := &Load{
		network: network, address: address, clients: group.New(ctx, nil),
		results: make([]Result, len(classes())),
	}
	for i, c := range classes() {
		l.results[i].Class = c.name
		for range c.clients {
			l.clients.Go(c.name, func(ctx context.Context) { l.work(ctx, i, c) })
		}
	}
	return l
}

// Stop lets the clients finish what they are at and tells how it went.
func (l *Load) Stop(ctx context.Context) ([]Result, error) {
	err := l.clients.Stop(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.results, err
}

func (l *Load) work(ctx context.Context, i int, c class) {
	client := &client{network: l.network, address: l.address}
	defer client.close()
	for ctx.Err() == nil {
		err := client.do(c.method, c.target)
		if err != nil || !c.keep {
			client.close()
		}
		l.count(i, err)
		select {
		case <-ctx.Done():
		case <-time.After(rand.N(c.pause)):
		}
	}
}

func (l *Load) count(i int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &l.results[i]
	r.Requests++
	if err != nil {
		r.Failed++
		if r.First == nil {
			r.First = err
		}
	}
}

// client is one connection at a time.
type client struct {
	network, address string
	conn             net.Conn
	in               *bufio.Reader
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close() // done with, or broken already
		c.conn = nil
	}
}

func (c *client) do(method, target string) error {
	if c.conn == nil {
		conn, err := net.DialTimeout(c.network, c.address, 20*time.Second)
		if err != nil {
			return err
		}
		c.conn, c.in = conn, bufio.NewReader(conn)
	}
	if err := c.conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	body := []byte{}
	if method == http.MethodPost {
		body = strconv.AppendUint(nil, rand.Uint64(), 10)
	}
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n", method, target, len(body))
	if _, err := c.conn.Write(append([]byte(head), body...)); err != nil {
		return fmt.Errorf("request: %w", err)
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return fmt.Errorf("response: %w", err)
	}
	got, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return fmt.Errorf("body: %w", err)
	case res.StatusCode != http.StatusOK:
		return errors.New(res.Status)
	case method == http.MethodPost && !bytes.Equal(got, body):
		return fmt.Errorf("sent %q, got back %q", body, got)
	}
	if res.Close {
		c.close()
	}
	return nil
}

// Handler answers / with 200, /echo with the request's body, and /sleep?ms=N
// after N milliseconds.
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	mux.HandleFunc("/sleep", func(w http.ResponseWriter, r *http.Request) {
		ms, err := strconv.Atoi(r.FormValue("ms"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		select {
		case <-time.After(time.Duration(ms) * time.Millisecond):
		case <-r.Context().Done():
		}
	})
	return mux
}
