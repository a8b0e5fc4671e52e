package http_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/filter"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/http"
	"github.com/dserver/dserver/rpc/status"
)

// newPeer is an endpoint that dials, and notes what is pushed to it.
func newPeer(t testing.TB, form proto.Factory) (e *rpc.Endpoint, noted chan string) {
	t.Helper()
	noted = make(chan string, 10)
	e, err := rpc.New(config(t, form, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	err = rpc.HandlePush(e, "/note", func(_ rpc.Context, text string) error {
		noted <- text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return e, noted
}

// guard lets in who knows the word.
type guard struct{}

func (guard) Name() string { return "guard" }

func (guard) AfterAccept(s rpc.EarlySession) error {
	var word string
	m, err := s.ReceiveAuth(&word)
	switch {
	case err != nil:
		return err
	case m.Type != message.AuthCall || word != "friend":
		st := status.New(status.Unauthorized, "say the word")
		return errors.Join(st, s.SendAuth(message.AuthReply, st, nil))
	}
	return s.SendAuth(message.AuthReply, nil, "enter")
}

// visitor says a word.
type visitor struct{ word string }

func (visitor) Name() string { return "visitor" }

func (v visitor) AfterDial(s rpc.EarlySession, _ bool) error {
	if err := s.SendAuth(message.AuthCall, nil, v.word); err != nil {
		return err
	}
	var answer string
	m, err := s.ReceiveAuth(&answer)
	switch {
	case err != nil:
		return err
	case m.Status != nil:
		return m.Status
	case m.Type != message.AuthReply || answer != "enter":
		return errors.New("this is no answer")
	}
	return nil
}

// TestF41AuthenticationOverASession, with every kind of peer.
func TestF41AuthenticationOverASession(t *testing.T) {
	s := newServerWith(t, func(c *rpc.Config) { c.Plugins = []rpc.Plugin{guard{}} })
	for name, form := range map[string]proto.Factory{"ours": http.New, "classic": http.Options{Classic: true}.New} {
		for word, want := range map[string]status.Code{"friend": status.OK, "foe": status.DialFailed} {
			c := config(t, form, io.Discard)
			c.Plugins = []rpc.Plugin{visitor{word}}
			e, err := rpc.New(c)
			if err != nil {
				t.Fatal(err)
			}
			near, err := e.Dial(t.Context(), "tcp://"+s.address)
			if status.CodeOf(err) != want || want != status.OK && !strings.Contains(err.Error(), "say the word") {
				t.Errorf("%s, %s: got %v", name, word, err)
			}
			if err == nil {
				err = near.Call(t.Context(), "/sum", []int{1}, nil)
			}
			if closing := e.Close(); closing != nil || err != nil && want == status.OK {
				t.Errorf("%s, %s: got %v, %v", name, word, err, closing)
			}
		}
	}
	// An older peer: both of its ways to write the path.
	for _, path := range []string{"", "/"} {
		r := s.dial(t)
		r.send("POST " + path + " HTTP/1.1\r\nAccept-Encoding: gzip\r\nContent-Length: 8\r\nContent-Type: application/json;charset=utf-8\r\n" +
			"User-Agent: drpc-httpproto/1.1\r\nX-Mtype: 4\r\nX-Seq: 1\r\n\r\n\"friend\"")
		r.wantBytes("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Type: application/json;charset=utf-8\r\nX-MType: 5\r\nX-Seq: 1\r\n\r\n\"enter\"")
	}
	// A plain client, which has no way to authenticate.
	r := s.dial(t)
	r.send("POST /sum HTTP/1.1\r\nContent-Length: 3\r\n\r\n[1]")
	if resp := r.want(401, `{"code":401,"msg":"Unauthorized","cause":"say the word"}`); !resp.Close {
		t.Error("the end is not announced")
	}
	r.wantEnd()
}

// TestEndpointsSpeakHTTP, in every mixture of forms.
func TestEndpointsSpeakHTTP(t *testing.T) {
	for name, form := range map[string]proto.Factory{"ours": http.New, "classic": http.Options{Classic: true, Host: "h"}.New} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, rpc.Limits{})
			e, noted := newPeer(t, form)
			near, err := e.Dial(t.Context(), "tcp://"+s.address)
			if err != nil {
				t.Fatal(err)
			}
			var sum int
			if err := near.Call(t.Context(), "/sum", []int{1, 2, 3}, &sum, rpc.WithFilters(filter.IDGzip)); err != nil || sum != 6 {
				t.Errorf("got %d, %v", sum, err)
			}
			var meta message.Meta
			var got string
			err = near.Call(t.Context(), "/meta", nil, &got, rpc.WithMeta("X-Tenant", "é\n"), rpc.WithMeta("x", " y"), rpc.WithReplyMeta(&meta))
			if err != nil || got != "é\n y" || meta.Value("X-Answer") != "42" {
				t.Errorf("got %q, %v, %v", got, meta, err)
			}
			if err := near.Call(t.Context(), "/fail", nil, nil); status.CodeOf(err) != 1001 {
				t.Error(err)
			}
			far := s.Sessions()[0]
			if err := near.Push(t.Context(), "/note", "to the server"); err != nil {
				t.Error(err)
			}
			if err := far.Push(t.Context(), "/note", "to the client"); err != nil {
				t.Error(err)
			}
			if a, b := <-s.noted, <-noted; a != "to the server" || b != "to the client" {
				t.Errorf("noted %q and %q", a, b)
			}
			if err := far.Call(t.Context(), "/none", nil, nil); status.CodeOf(err) != status.NotFound {
				t.Error(err)
			}
		})
	}
}

// TestCancelReachesTheHandler, because peers of ours know each other.
func TestCancelReachesTheHandler(t *testing.T) {
	s := newServer(t, rpc.Limits{})
	e, _ := newPeer(t, http.New)
	near, err := e.Dial(t.Context(), "tcp://"+s.address)
	if err != nil {
		t.Fatal(err)
	}
	if err := near.Call(t.Context(), "/sum", nil, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	called := make(chan error, 1)
	go func() { called <- near.Call(ctx, "/gate", "x", nil) }()
	<-s.entered
	cancel()
	if err := <-called; status.CodeOf(err) != status.Cancelled {
		t.Error(err)
	}
	eventually(t, "the handler returns", func() bool { return s.Stats().Handlers == 0 })
	if err := near.Call(t.Context(), "/sum", nil, nil); err != nil {
		t.Error(err)
	}
}

func TestPeersAreToldToLeave(t *testing.T) {
	s := newServer(t, rpc.Limits{})
	e, _ := newPeer(t, http.New)
	near, err := e.Dial(t.Context(), "tcp://"+s.address)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server has the session", func() bool { return s.Stats().Sessions == 1 })
	s.Drain() // before it knows who that is
	if err := near.Call(t.Context(), "/sum", nil, nil); err != nil {
		t.Fatal(err)
	}
	select {
	case <-near.GoingAway():
	case <-time.After(10 * time.Second):
		t.Error("nobody said so")
	}
}

// TestPlainClientIsNotPushedTo: it is an error of who tries.
func TestPlainClientIsNotPushedTo(t *testing.T) {
	s := newServer(t, rpc.Limits{})
	r := s.dial(t)
	r.send("GET /form HTTP/1.1\r\n\r\n")
	r.answer("GET")
	far := s.Sessions()[0]
	for _, err := range []error{far.Push(t.Context(), "/note", "x"), far.Call(t.Context(), "/note", "x", nil)} {
		if status.CodeOf(err) != status.WriteFailed || !strings.Contains(err.Error(), http.ErrPlain.Error()) {
			t.Error(err)
		}
	}
	r.send("POST /sum HTTP/1.1\r\nContent-Length: 3\r\n\r\n[1]")
	r.want(200, "1")
}

// TestDeadlineOfAPlainClient is told in its turn.
func TestDeadlineOfAPlainClient(t *testing.T) {
	s := newServer(t, rpc.Limits{})
	r := s.dial(t)
	r.send("POST /gate HTTP/1.1\r\nX-Timeout-Ms: 30\r\nContent-Length: 3\r\n\r\n\"a\"POST /sum HTTP/1.1\r\nContent-Length: 3\r\n\r\n[1]")
	if resp, _ := r.answer("POST"); resp.StatusCode != 408 {
		t.Errorf("got %d", resp.StatusCode)
	}
	r.want(200, "1")
}

// TestPlainServerCanBeCalled: its answers come in order.
func TestPlainServerCanBeCalled(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web := newWeb()
	served := make(chan error, 1)
	go func() { served <- web.Serve(ln) }()
	defer func() {
		web.Close()
		<-served
	}()
	e, _ := newPeer(t, http.Options{Host: "example.org"}.New)
	s, err := e.Dial(t.Context(), "tcp://"+ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		var got string
		want := "example.org/page " + itoa(i)
		if err := s.Call(t.Context(), "/page?n="+itoa(i), i, &got); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	err = s.Call(t.Context(), "/none", nil, nil)
	if st, _ := status.From(err); status.CodeOf(err) != 404 || !strings.Contains(st.Cause, "page not found") {
		t.Error(err)
	}
}
