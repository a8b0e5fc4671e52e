package load

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// browser is a plain HTTP/1.1 client with at most one connection. It keeps the
// connection until an answer says that it will be closed; any other end of it is
// found out by the next request, which fails.
type browser struct {
	network, address string
	keep             bool
	method, path     string

	conn net.Conn
	in   *bufio.Reader
	last time.Time // of the last answer on conn
	used int       // requests on conn
}

func (b *browser) do() error {
	if b.conn == nil {
		conn, err := net.DialTimeout(b.network, b.address, patience)
		if err != nil {
			return err
		}
		b.conn, b.in, b.last, b.used = conn, bufio.NewReader(conn), time.Now(), 0
	}
	idle := time.Since(b.last)
	closing, err := b.exchange()
	if err != nil {
		err = fmt.Errorf("request %d of its connection, %v after the last: %w", b.used+1, idle.Round(time.Millisecond), err)
	}
	b.last = time.Now()
	b.used++
	if err != nil || closing || !b.keep {
		b.close()
	}
	return err
}

// exchange sends one request and reads its answer.
func (b *browser) exchange() (closing bool, err error) {
	if err := b.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return false, err
	}
	body := ""
	if b.method == http.MethodPost {
		body = strconv.FormatUint(rand.Uint64(), 36)
	}
	request := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%s", b.method, b.path, len(body), body)
	if _, err := io.WriteString(b.conn, request); err != nil {
		return false, fmt.Errorf("cannot send: %w", err)
	}
	res, err := http.ReadResponse(b.in, nil)
	if err != nil {
		return false, fmt.Errorf("cannot read the answer: %w", err)
	}
	got, err := io.ReadAll(res.Body)
	if err != nil {
		return false, fmt.Errorf("cannot read the body: %w", err)
	}
	return res.Close, b.check(res, string(got), body)
}

// check compares an answer with what must come.
func (b *browser) check(res *http.Response, got, sent string) error {
	right := false
	switch b.path {
	case "/":
		right = strings.HasPrefix(got, "hello from ")
	case "/echo":
		right = got == sent
	default:
		_, ms, _ := strings.Cut(b.path, "=")
		right = got == "slept "+ms
	}
	switch {
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("answered %s: %s", res.Status, got)
	case !right:
		return fmt.Errorf("got back %q", got)
	case res.Header.Get("X-Build") == "":
		return errors.New("the answer does not tell the build")
	}
	return nil
}

func (b *browser) close() {
	if b.conn != nil {
		_ = b.conn.Close() // done with, or broken already
		b.conn = nil
	}
}
