package rpc_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

func TestCallAndPushBothWaysOverOneSession(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		pushed := make(chan string, 2)
		for name, e := range map[string]*rpc.Endpoint{"server": b.server, "client": b.client} {
			mustHandle(t, e, "/add", func(_ rpc.Context, nums []int) (string, error) {
				sum := 0
				for _, n := range nums {
					sum += n
				}
				return fmt.Sprint(name, sum), nil
			})
			mustHandlePush(t, e, "/note", func(_ rpc.Context, s string) error {
				pushed <- name + s
				return nil
			})
		}
		near := b.dial()
		far := b.accepted()
		for want, s := range map[string]*rpc.Session{"server": near, "client": far} {
			var got string
			if err := s.Call(t.Context(), "/add", []int{1, 2, 3}, &got); err != nil || got != want+"6" {
				t.Errorf("got %q, %v", got, err)
			}
			if err := s.Push(t.Context(), "/note", "!"); err != nil {
				t.Error(err)
			}
		}
		got := []string{within(t, 5*time.Second, "a push", pushed), within(t, 5*time.Second, "a push", pushed)}
		if slices.Sort(got); !slices.Equal(got, []string{"client!", "server!"}) {
			t.Errorf("pushed: %v", got)
		}
	})
}

func TestErrorsReachTheCaller(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		full, err := status.New(1001, "none \"left\"\a").WithRetry().WithDetails([]int{1, 2})
		if err != nil {
			t.Fatal(err)
		}
		mustHandle(t, b.server, "/status", func(rpc.Context, any) (any, error) {
			return nil, fmt.Errorf("wrapped: %w", full)
		})
		mustHandle(t, b.server, "/plain", func(rpc.Context, any) (any, error) {
			return nil, errors.New("secret /etc/path")
		})
		mustHandle(t, b.server, "/panic", func(rpc.Context, any) (any, error) { panic("secret panic") })
		mustHandle(t, b.server, "/encode", func(rpc.Context, any) (any, error) { return func() {}, nil })
		mustHandle(t, b.server, "/gateway", func(rpc.Context, any) (any, error) {
			return nil, status.New(status.ConnectionClosed, "secret upstream")
		})
		mustHandle(t, b.server, "/number", func(_ rpc.Context, n int) (int, error) { return n, nil })
		s := b.dial()

		got := wantCode(t, s.Call(t.Context(), "/status", nil, nil), 1001)
		if got.Msg != full.Msg || got.Cause != full.Cause || !got.Retry || string(got.Details) != "[1,2]" {
			t.Errorf("got %+v, want %+v", got, full)
		}
		for method, code := range map[string]status.Code{
			"/plain": status.InternalServerError, "/panic": status.InternalServerError,
			"/encode": status.InternalServerError, "/gateway": status.BadGateway, "/number": status.BadMessage,
		} {
			got := wantCode(t, s.Call(t.Context(), method, "text", nil), code)
			incident, found := strings.CutPrefix(got.Cause, "incident ")
			if !found || strings.Contains(got.Error(), "secret") || !strings.Contains(b.serverLog.String(), incident) {
				t.Errorf("%s: the caller got %v", method, got)
			}
		}
		for _, secret := range []string{"secret /etc/path", "secret panic", "secret upstream"} {
			if !strings.Contains(b.serverLog.String(), secret) {
				t.Errorf("the log has no %q", secret)
			}
		}
		wantCode(t, s.Call(t.Context(), "/none", nil, nil), status.NotFound)
		wantCode(t, s.Call(t.Context(), "/number", 7, new(string)), status.BadMessage)
		if n := b.server.Stats().Panics; n != 1 {
			t.Errorf("%d panics counted", n)
		}
		var n int
		if err := s.Call(t.Context(), "/number", 7, &n); err != nil || n != 7 {
			t.Errorf("afterwards: %d, %v", n, err)
		}
	})
}

func TestBodies(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		type pair struct{ A, B string }
		last, bodies := byte(0xff), [][]byte{nil, {}, []byte("\x00\"\\\n\xfe"), make([]byte, 300_000)}
		if b.textOnly {
			last, bodies[2] = '"', []byte("\x00\"\\\né")
		}
		mustHandle(t, b.server, "/bytes", func(_ rpc.Context, v []byte) ([]byte, error) { return append(v, last), nil })
		mustHandle(t, b.server, "/pointer", func(_ rpc.Context, p *pair) (*pair, error) { return &pair{p.B, p.A}, nil })
		mustHandle(t, b.server, "/nothing", func(_ rpc.Context, v any) (any, error) { return v, nil })
		s := b.dial()

		for _, body := range bodies {
			var got []byte
			if err := s.Call(t.Context(), "/bytes", body, &got); err != nil || len(got) != len(body)+1 || string(got[:len(body)]) != string(body) {
				t.Errorf("sent %d bytes, got %d, %v", len(body), len(got), err)
			}
			if err := s.Call(t.Context(), "/bytes", &body, nil); err != nil {
				t.Errorf("by pointer: %v", err)
			}
		}
		var p pair
		if err := s.Call(t.Context(), "/pointer", pair{"a", "b"}, &p); err != nil || p != (pair{"b", "a"}) {
			t.Errorf("got %v, %v", p, err)
		}
		// No body leaves a pointer to a zero value, not nil.
		if err := s.Call(t.Context(), "/pointer", nil, &p); err != nil || p != (pair{}) {
			t.Errorf("got %v, %v", p, err)
		}
		untouched := "untouched"
		if err := s.Call(t.Context(), "/nothing", nil, &untouched); err != nil || untouched != "untouched" {
			t.Errorf("got %q, %v", untouched, err)
		}
	})
}

func TestMetadataTravelsBothWays(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		mustHandle(t, b.server, "/meta", func(ctx rpc.Context, fail bool) (map[string]string, error) {
			ctx.SetMeta("answer", ctx.Meta("question")+"!")
			if fail {
				return nil, status.New(1001, "")
			}
			return maps.Collect(ctx.Metadata().All()), nil
		})
		s := b.dial()
		var meta message.Meta
		var got map[string]string
		err := s.Call(t.Context(), "/meta", false, &got, rpc.WithMeta("question", "é <\"&>"), rpc.WithMeta("a", "1"), rpc.WithReplyMeta(&meta))
		if err != nil || got["question"] != "é <\"&>" || got["a"] != "1" || meta.Value("answer") != "é <\"&>!" {
			t.Errorf("got %v and %v, %v", got, meta, err)
		}
		meta.Clear()
		err = s.Call(t.Context(), "/meta", true, nil, rpc.WithMeta("question", "?"), rpc.WithReplyMeta(&meta))
		if wantCode(t, err, 1001); meta.Value("answer") != "?!" {
			t.Errorf("with an error: %v", meta)
		}
	})
}

// upper is a second codec, so that choosing one has an effect.
type upper struct{ codec.JSON }

func (upper) ID() byte     { return 'U' }
func (upper) Name() string { return "upper" }
func (upper) Marshal(v any) ([]byte, error) {
	return []byte(strings.ToUpper(fmt.Sprint(v))), nil
}
func (upper) Unmarshal(b []byte, v any) error {
	*v.(*string) = string(b)
	return nil
}

func TestCodecIsThatOfTheRequestOrAsAskedFor(t *testing.T) {
	c := rpc.Config{Codecs: []codec.Codec{codec.JSON{}, upper{}}}
	everywhere(t, c, func(t *testing.T, b *bed) {
		echo(t, b.server)
		s := b.dial()
		tests := []struct {
			opts []rpc.CallOption
			want string
		}{
			{nil, "abc"},
			{[]rpc.CallOption{rpc.WithCodec('U')}, "ABC"},
			{[]rpc.CallOption{rpc.WithMeta("X-Accept-Body-Codec", "85")}, "ABC"},
			{[]rpc.CallOption{rpc.WithMeta("X-Accept-Body-Codec", "99")}, "abc"},
		}
		for _, test := range tests {
			var got string
			if err := s.Call(t.Context(), "/echo", "abc", &got, test.opts...); err != nil || got != test.want {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
		}
		wantCode(t, s.Call(t.Context(), "/echo", "abc", nil, rpc.WithCodec('?')), status.WriteFailed)
		wantCode(t, s.Call(t.Context(), "/echo", []byte("abc"), nil, rpc.WithCodec('?')), status.BadMessage)
	})
}

func TestManyCallersOnOneSession(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		echo(t, b.server)
		s := b.dial()
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				for j := range 40 {
					want := fmt.Sprint(i, " ", j, strings.Repeat("x", i*j))
					var got string
					if err := s.Call(t.Context(), "/echo", want, &got); err != nil || got != want {
						t.Errorf("got %d bytes, %v, want %d", len(got), err, len(want))
						return
					}
				}
			})
		}
		all.Wait()
	})
}

func TestUnknownPushIsDroppedAndCounted(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		echo(t, b.server)
		s := b.dial()
		for range 3 {
			if err := s.Push(t.Context(), "/none", 1); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Call(t.Context(), "/echo", "x", nil); err != nil {
			t.Fatal(err)
		}
		if n := b.server.Stats().DroppedPushes; n != 3 {
			t.Errorf("%d dropped", n)
		}
		// One line a second, whatever the peer does.
		if n := strings.Count(b.serverLog.String(), "push dropped"); n != 1 {
			t.Errorf("%d log lines", n)
		}
	})
}

func TestReservedControlMessagesOfTheFutureAreIgnored(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	echo(t, b.server)
	s := b.dial()
	for _, meta := range []string{"", "1", "x", "99999999999"} {
		for _, method := range []string{"/_new", "/_goaway", "/_cancel"} {
			if err := s.Push(t.Context(), method, nil, rpc.WithMeta("seq", meta)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Call(t.Context(), "/echo", "x", nil); err != nil {
		t.Error(err)
	}
	wantCode(t, s.Call(t.Context(), "/_goaway", nil, nil), status.NotFound)
}
