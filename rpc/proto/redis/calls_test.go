package redis_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/proto/redis"
	"github.com/dserver/dserver/rpc/status"
)

// Both ends are ours: one calls the other by the commands of redis.
func TestEndpointAsClient(t *testing.T) {
	e := newEndpoint(t, rpc.Config{Codecs: []codec.Codec{redis.Codec{}}})
	newStore(t, e)
	c := newEndpoint(t, rpc.Config{Codecs: []codec.Codec{redis.Codec{}}})
	s := rpctest.Dial(t, c, rpctest.OnLoopback(t, e))
	big := strings.Repeat("a", 1<<20)
	var ok, text string
	var n int
	var v redis.Value
	for _, err := range []error{
		s.Call(t.Context(), "/redis/hello", []int{3}, nil),
		s.Call(t.Context(), "/redis/set", []string{"k", big}, &ok),
		s.Call(t.Context(), "/redis/get", "k", &text),
		s.Call(t.Context(), "/redis/incr", "n", &n),
		s.Call(t.Context(), "/redis/get", "nothing", &v),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if ok != "OK" || text != big || n != 1 || !v.Null() {
		t.Errorf("got %s, %d bytes, %d, %+v", ok, len(text), n, v)
	}
	err := s.Call(t.Context(), "/redis/none", "a", nil)
	if st, _ := status.From(err); st == nil || st.Cause != "ERR unknown command 'none', with args beginning with: 'a' " {
		t.Errorf("got %v", err)
	}
	if err := s.Call(t.Context(), "/none", nil, nil); status.CodeOf(err) != status.WriteFailed {
		t.Errorf("got %v", err)
	}
	if err := s.Call(t.Context(), "/redis/ping", nil, &ok); err != nil || ok != "PONG" {
		t.Errorf("afterwards: %s, %v", ok, err)
	}
}

// Calls that are made at the same time have their own replies, although only the order
// tells which is whose; so have those that were given up.
func TestConcurrentCallsHaveTheirOwnReplies(t *testing.T) {
	e := newEndpoint(t, rpc.Config{})
	newStore(t, e)
	c := newEndpoint(t, rpc.Config{Codecs: []codec.Codec{redis.Codec{}}})
	s := rpctest.Dial(t, c, rpctest.OnLoopback(t, e))
	callMany(t, s)
}

// callMany has ECHO say many things.
func callMany(t *testing.T, s *rpc.Session) {
	t.Helper()
	var all sync.WaitGroup
	for part := range 8 {
		all.Go(func() {
			for n := range 200 {
				ctx := t.Context()
				if n%10 == 0 {
					given, cancel := context.WithCancel(ctx)
					ctx = given
					time.AfterFunc(time.Microsecond*time.Duration(n), cancel)
				}
				said, want := "", fmt.Sprint(part, n)
				err := s.Call(ctx, "/redis/echo", want, &said)
				if ctx.Err() == nil && err != nil || err == nil && said != want {
					t.Errorf("got %q, %v, want %q", said, err, want)
				}
			}
		})
	}
	all.Wait()
}
