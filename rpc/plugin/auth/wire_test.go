package auth_test

import (
	"bytes"
	"context"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/filter"
	"github.com/dserver/dserver/rpc/filter/gzip"
	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/plugin/auth"
	"github.com/dserver/dserver/rpc/plugin/plugintest"
	"github.com/dserver/dserver/rpc/proto/raw"
	"github.com/dserver/dserver/rpc/status"
)

// captures are conversations of older peers, with what the client then did and found.
func captures() map[string]func(t *testing.T, dial func(c rpc.Config) (*rpc.Session, error)) {
	return map[string]func(t *testing.T, dial func(c rpc.Config) (*rpc.Session, error)){
		"auth_ok_true": func(t *testing.T, dial func(c rpc.Config) (*rpc.Session, error)) {
			var pass string
			s, err := dial(shows("token-1", auth.OnPass(func(_ rpc.EarlySession, p string) error {
				pass = p
				return nil
			})))
			if err != nil || pass != "pass" {
				t.Fatalf("the pass is %q, %v", pass, err)
			}
			var sum int
			if err := s.Call(t.Context(), "/math/add", []int{1, 2}, &sum); err != nil || sum != 3 {
				t.Errorf("got %d, %v", sum, err)
			}
		},
		"auth_ok_false": func(t *testing.T, dial func(c rpc.Config) (*rpc.Session, error)) {
			_, err := dial(shows("wrong"))
			if st := rpctest.Code(t, err, status.DialFailed); st.Cause != "auth fail detail" {
				t.Errorf("got %v", err)
			}
		},
		"auth_missing_bearer": func(t *testing.T, dial func(c rpc.Config) (*rpc.Session, error)) {
			s, err := dial(rpc.Config{})
			if err != nil {
				t.Fatal(err)
			}
			err = s.Call(t.Context(), "/math/add", []int{1, 2}, nil)
			if st := rpctest.Code(t, err, status.Unauthorized); !strings.Contains(st.Cause, "expect: AUTH_CALL") {
				t.Errorf("got %v", err)
			}
		},
	}
}

// inBothForms runs a test with the default form, and with that of older peers, in which
// all bytes are the same.
func inBothForms(t *testing.T, f func(t *testing.T, name string, c rpc.Config, exact bool)) {
	for name := range captures() {
		t.Run(name, func(t *testing.T) { f(t, name, rpc.Config{}, false) })
		t.Run(name+"/classic", func(t *testing.T) { f(t, name, rpc.Config{Proto: raw.Options{Classic: true}.New}, true) })
	}
}

func TestAnswersToAnOlderClientAreThoseItGot(t *testing.T) {
	inBothForms(t, func(t *testing.T, name string, c rpc.Config, exact bool) {
		server := checks()
		server.Proto = c.Proto
		b := plugintest.New(t, server)
		err := rpc.Handle(b.Server, "/math/add", func(_ rpc.Context, n []int) (int, error) { return n[0] + n[1], nil })
		if err != nil {
			t.Fatal(err)
		}
		plugintest.ReadCapture(t, name).Play(b.Peer(t), plugintest.Client, exact)
	})
}

func TestOlderServerUnderstandsUsAndWeIt(t *testing.T) {
	inBothForms(t, func(t *testing.T, name string, c rpc.Config, exact bool) {
		b := plugintest.New(t, rpc.Config{})
		ln := b.Listen(t, "mem://older")
		played := make(chan struct{})
		go func() {
			defer close(played)
			conn, err := ln.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			plugintest.ReadCapture(t, name).Play(plugintest.NewPeer(t, conn), plugintest.Server, exact)
		}()
		captures()[name](t, func(client rpc.Config) (*rpc.Session, error) {
			client.Proto = c.Proto
			return b.Endpoint(t, client).Dial(t.Context(), "mem://older")
		})
		<-played
	})
}

func authCall(body string) *message.Message {
	return &message.Message{Seq: 1, Type: message.AuthCall, Codec: codec.IDJSON, Body: []byte(body)}
}

func TestFirstMessageOfAnotherTypeIsRefused(t *testing.T) {
	b := plugintest.New(t, checks())
	for kind, name := range map[message.Type]string{
		message.Call: "CALL", message.Push: "PUSH", message.Reply: "REPLY", message.AuthReply: "AUTH_REPLY",
		message.Undefined: "UNDEFINED", 77: "UNDEFINED",
	} {
		p := b.Peer(t)
		m := authCall(`"token-1"`)
		m.Type, m.Status = kind, status.New(1001, "a status changes nothing")
		p.Send(m)
		got := p.Read()
		if got.Type != message.AuthReply || got.Seq != 1 || got.Codec != codec.IDJSON || len(got.Body) > 0 ||
			got.Status == nil || got.Status.Code != status.Unauthorized || got.Status.Msg != "Unauthorized" ||
			got.Status.Cause != "auth message(1st) expect: AUTH_CALL, but received: "+name {
			t.Errorf("%v: got %+v, %v", kind, got, got.Status)
		}
		p.WantEnd()
	}
}

// TestCallBehindTheAuthCall: a client need not wait for the answer.
func TestCallBehindTheAuthCall(t *testing.T) {
	b := plugintest.New(t, checks())
	handleWho(t, b.Server)
	p := b.Peer(t)
	call := &message.Message{Seq: 2, Type: message.Call, Method: "/who", Codec: codec.IDJSON}
	p.Write(bytes.Join([][]byte{plugintest.Frame(t, authCall(`"token-1"`), nil), plugintest.Frame(t, call, nil)}, nil))
	if m := p.Read(); m.Type != message.AuthReply || m.Status != nil || string(m.Body) != `"pass"` {
		t.Errorf("got %+v", m)
	}
	if m := p.Read(); m.Type != message.Reply || m.Seq != 2 || string(m.Body) != `"user-1 with token-1"` {
		t.Errorf("got %+v", m)
	}
	// It is asked once: a second one ends the session.
	p.Send(authCall(`"token-1"`))
	p.WantEnd()
	if n := b.Server.Stats().BadFrames; n != 1 {
		t.Errorf("%d bad frames", n)
	}
}

func TestGoawayWaitsUntilThePeerIsIn(t *testing.T) {
	b := plugintest.New(t, checks())
	p := b.Peer(t)
	rpctest.Eventually(t, "it is accepted", func() bool { return b.Server.Stats().Sessions == 1 })
	b.Server.Drain()
	p.Send(authCall(`"token-1"`))
	if m := p.Read(); m.Type != message.AuthReply {
		t.Errorf("got %+v", m)
	}
	if m := p.Read(); m.Method != "/_goaway" {
		t.Errorf("got %+v", m)
	}
}

// older is a server that sends these messages to whoever authenticates.
func older(t *testing.T, b *plugintest.Bed, answers ...*message.Message) (address string) {
	ln := b.Listen(t, "mem://"+t.Name())
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		p := plugintest.NewPeer(t, conn)
		if m := p.Read(); m.Type != message.AuthCall || m.Seq != 1 || m.Method != "" || m.Meta.Len() > 0 {
			t.Errorf("got %+v", m)
		}
		for _, m := range answers {
			p.Send(m)
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
	})
	return "mem://" + t.Name()
}

func TestAnswerOfAnotherTypeIsRefused(t *testing.T) {
	b := plugintest.New(t, rpc.Config{})
	address := older(t, b, &message.Message{Seq: 1, Type: message.Push, Method: "/x"})
	_, err := b.Endpoint(t, shows("token-1")).Dial(t.Context(), address)
	if st := rpctest.Code(t, err, status.DialFailed); st.Cause != "auth message(1st) expect: AUTH_REPLY, but received: PUSH" {
		t.Errorf("got %v", err)
	}
}

// TestSecondAnswerEndsTheSession: with its own status if it has one.
func TestSecondAnswerEndsTheSession(t *testing.T) {
	ok := &message.Message{Seq: 1, Type: message.AuthReply, Codec: codec.IDJSON, Body: []byte("1")}
	late := &message.Message{Seq: 2, Type: message.AuthReply, Status: status.New(1002, "thought better")}
	for name, second := range map[string]*message.Message{"ok": ok, "status": late} {
		t.Run(name, func(t *testing.T) {
			b := plugintest.New(t, rpc.Config{})
			s, err := b.Endpoint(t, shows("token-1")).Dial(t.Context(), older(t, b, ok, second))
			if err != nil {
				t.Fatal(err)
			}
			<-s.Done()
			err = s.Call(t.Context(), "/who", nil, nil)
			if want := map[string]status.Code{"ok": status.ConnectionClosed, "status": 1002}[name]; status.CodeOf(err) != want {
				t.Errorf("got %v, want code %d", err, want)
			}
		})
	}
}

// TestF26: who says nothing, or too little, loses the connection in time.
func TestF26AuthCallThatNeverComes(t *testing.T) {
	for name, first := range map[string]string{"nothing": "", "a part": "00000038 01 00"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := plugintest.New(t, checks())
				p := b.Peer(t)
				began := time.Now()
				p.SendHex(first)
				p.WantEnd()
				if took := time.Since(began); took != 10*time.Second {
					t.Errorf("it was closed after %v", took)
				}
				synctest.Wait()
				if n := b.Server.Stats().Sessions; n != 0 {
					t.Errorf("%d sessions are left", n)
				}
			})
		})
	}
}

// TestTimeIsForAllOfIt: a check that takes too long has a context that ends, and a
// server that does not answer ends the dialling.
func TestTimeIsForAllOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := rpc.Limits{HandshakeTime: 2 * time.Second}
		slow := auth.NewChecker(func(ctx context.Context, _ rpc.EarlySession, _ string) (any, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		b := plugintest.New(t, rpc.Config{Plugins: []rpc.Plugin{slow}, Limits: limits})
		began := time.Now()
		_, err := b.Endpoint(t, shows("")).Dial(t.Context(), plugintest.Address)
		rpctest.Code(t, err, status.DialFailed)
		if took := time.Since(began); took != limits.HandshakeTime {
			t.Errorf("the server hung up after %v", took)
		}
		b.Listen(t, "mem://silent")
		client := shows("")
		client.Limits = limits
		began = time.Now()
		_, err = b.Endpoint(t, client).Dial(t.Context(), "mem://silent")
		rpctest.Code(t, err, status.DialFailed)
		if took := time.Since(began); took != limits.HandshakeTime {
			t.Errorf("the client gave up after %v", took)
		}
	})
}

// tally counts what a peer makes us do.
type tally struct{ unpacked, decoded atomic.Int64 }

type countedFilter struct {
	filter.Filter
	t *tally
}

func (f countedFilter) AppendUnpack(dst, src []byte, limit int) ([]byte, error) {
	f.t.unpacked.Add(1)
	return f.Filter.AppendUnpack(dst, src, limit)
}

type countedCodec struct {
	codec.Codec
	t *tally
}

func (c countedCodec) Unmarshal(b []byte, v any) error {
	c.t.decoded.Add(1)
	return c.Codec.Unmarshal(b, v)
}

// counted is a server that checks, with a filter and a codec that count.
func counted(t *testing.T) (*plugintest.Bed, *tally, *filter.Registry) {
	compress, err := gzip.New(gzip.Default)
	if err != nil {
		t.Fatal(err)
	}
	r, err := filter.NewRegistry(compress)
	if err != nil {
		t.Fatal(err)
	}
	c, counts := checks(), new(tally)
	c.Filters = []filter.Filter{countedFilter{compress, counts}}
	c.Codecs = []codec.Codec{countedCodec{codec.JSON{}, counts}}
	return plugintest.New(t, c), counts, r
}

func (c *tally) want(t *testing.T, unpacked, decoded int64) {
	t.Helper()
	if c.unpacked.Load() != unpacked || c.decoded.Load() != decoded {
		t.Errorf("unpacked %d times and decoded %d times, want %d and %d", c.unpacked.Load(), c.decoded.Load(), unpacked, decoded)
	}
}

// TestF114: a peer that is not let in yet costs no decompression, no decoding but of
// what it shows, and no more memory than one small message.
func TestF114PeerThatIsNotInCostsLittle(t *testing.T) {
	t.Run("filters do not run", func(t *testing.T) {
		b, counts, r := counted(t)
		m := authCall(`"token-1"`)
		m.Filters = []byte{filter.IDGzip}
		p := b.Peer(t)
		p.Write(plugintest.Frame(t, m, r))
		p.WantEnd()
		counts.want(t, 0, 0)
		if !strings.Contains(b.Log.String(), filter.ErrNotAllowed.Error()) {
			t.Errorf("the log: %s", b.Log)
		}
	})
	t.Run("bodies of others are not decoded", func(t *testing.T) {
		b, counts, _ := counted(t)
		m := authCall(`{"much": "work"}`)
		m.Type, m.Method = message.Call, "/who"
		p := b.Peer(t)
		p.Send(m)
		p.Read()
		p.WantEnd()
		counts.want(t, 0, 0)
	})
	t.Run("bad body", func(t *testing.T) {
		b, counts, _ := counted(t)
		for _, body := range []string{`{`, `{"not":"text"}`, "\x00"} {
			p := b.Peer(t)
			p.Send(authCall(body))
			if m := p.Read(); m.Type != message.AuthReply || m.Status == nil || m.Status.Code != status.BadMessage ||
				!strings.HasPrefix(m.Status.Cause, "incident ") {
				t.Errorf("%q: got %+v, %v", body, m, m.Status)
			}
			p.WantEnd()
		}
		counts.want(t, 0, 3)
	})
	t.Run("unknown codec", func(t *testing.T) {
		b, _, _ := counted(t)
		m := authCall("x")
		m.Codec = '?'
		p := b.Peer(t)
		p.Send(m)
		if m := p.Read(); m.Status == nil || m.Status.Code != status.BadMessage {
			t.Errorf("got %+v", m)
		}
		p.WantEnd()
	})
	t.Run("filters run afterwards", func(t *testing.T) {
		b, counts, r := counted(t)
		handleWho(t, b.Server)
		p := b.Peer(t)
		p.Send(authCall(`"token-1"`))
		p.Read()
		p.Write(plugintest.Frame(t, &message.Message{Seq: 2, Type: message.Call, Method: "/none", Filters: []byte{filter.IDGzip}}, r))
		if _, err := p.Conn.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
		counts.want(t, 1, 1)
	})
}

func TestF114HugeMessageIsNotTaken(t *testing.T) {
	b := plugintest.New(t, checks())
	huge := plugintest.Frame(t, authCall(`"`+strings.Repeat("x", 8<<20)+`"`), nil)
	const peers = 8
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range peers {
		p := b.Peer(t)
		if n, err := p.Conn.Write(huge); err == nil {
			t.Errorf("%d bytes were taken", n)
		}
		p.WantEnd()
	}
	runtime.ReadMemStats(&after)
	if used := (after.TotalAlloc - before.TotalAlloc) / peers; used > 1<<20 {
		t.Errorf("a message of %d bytes took %d bytes of memory", len(huge), used)
	}
	if n := b.Server.Stats().BadFrames; n != peers {
		t.Errorf("%d bad frames", n)
	}
}
