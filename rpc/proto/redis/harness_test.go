package redis_test

import (
	"bufio"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/proto/redis"
)

// store is a little of what redis does.
type store struct {
	mu    sync.Mutex
	texts map[string][]byte
	lists map[string][]string
}

func newStore(t testing.TB, e *rpc.Endpoint) *store {
	s := &store{texts: make(map[string][]byte), lists: make(map[string][]string)}
	for name, handle := range map[string]redis.Handler{"get": s.get, "SET": s.set, "incr": s.incr, "del": s.del, "lpush": s.push} {
		if err := redis.Handle(e, name, s.locked(handle)); err != nil {
			t.Fatal(err)
		}
	}
	if err := redis.Register(e); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *store) locked(h redis.Handler) redis.Handler {
	return func(ctx rpc.Context, args [][]byte) (any, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(args) == 0 {
			return nil, redis.WrongArguments(ctx)
		}
		return h(ctx, args)
	}
}

func (s *store) get(_ rpc.Context, args [][]byte) (any, error) {
	if s.lists[string(args[0])] != nil {
		return nil, redis.Errorf("WRONGTYPE Operation against a key holding the wrong kind of value")
	}
	if text, ok := s.texts[string(args[0])]; ok {
		return text, nil
	}
	return nil, nil
}

func (s *store) set(ctx rpc.Context, args [][]byte) (any, error) {
	if len(args) != 2 {
		return nil, redis.WrongArguments(ctx)
	}
	s.texts[string(args[0])] = args[1]
	return redis.Simple("OK"), nil
}

func (s *store) incr(_ rpc.Context, args [][]byte) (any, error) {
	n, err := strconv.Atoi(string(s.texts[string(args[0])]))
	if err != nil && s.texts[string(args[0])] != nil {
		return nil, redis.Errorf("value is not an integer or out of range")
	}
	s.texts[string(args[0])] = strconv.AppendInt(nil, int64(n+1), 10)
	return n + 1, nil
}

func (s *store) del(_ rpc.Context, args [][]byte) (any, error) {
	before := len(s.texts)
	for _, key := range args {
		delete(s.texts, string(key))
	}
	return before - len(s.texts), nil
}

func (s *store) push(_ rpc.Context, args [][]byte) (any, error) {
	list := s.lists[string(args[0])]
	for _, item := range args[1:] {
		list = append(list, string(item))
	}
	s.lists[string(args[0])] = list
	return len(list), nil
}

// newEndpoint closes at the end of the test and expects nothing to be stuck.
func newEndpoint(t testing.TB, c rpc.Config) *rpc.Endpoint {
	t.Helper()
	if c.Proto == nil {
		c.Proto = redis.New
	}
	return rpctest.Endpoint(t, c)
}

// line is a connection on which a test speaks by hand.
type line struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

func dial(t testing.TB, address string) *line {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(address, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &line{t, conn, bufio.NewReader(conn)}
}

func (l *line) send(text string) {
	l.t.Helper()
	if _, err := io.WriteString(l.conn, text); err != nil {
		l.t.Fatal(err)
	}
}

// wants reads as many bytes as want has.
func (l *line) wants(want string) {
	l.t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(l.in, got)
	if err != nil || string(got) != want {
		l.t.Fatalf("got %d bytes, %v, want %d; they begin %.300q and %.300q", n, err, len(want), got[:n], want)
	}
}

// ends reads to the end, which must come behind want.
func (l *line) ends(want string) {
	l.t.Helper()
	got, err := io.ReadAll(l.in)
	if err != nil || string(got) != want {
		l.t.Fatalf("got %q, %v, want %q and the end", got, err, want)
	}
}
