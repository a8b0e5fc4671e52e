package securebody_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/plugin/proxy"
	"github.com/dserver/dserver/rpc/plugin/securebody"
	"github.com/dserver/dserver/rpc/status"
)

// tapped is a client and a server that require encryption, and the wire between them.
func tapped(t *testing.T) (s *rpc.Session, w *tap, run *service, server *rpc.Endpoint, address string) {
	t.Helper()
	server, _ = secured(t, securebody.Options{Required: true})
	client, _ := secured(t, securebody.Options{Required: true})
	run = newService(t, server)
	address = rpctest.OnLoopback(t, server)
	w = newTap(t, address)
	return rpctest.Dial(t, client, w.address), w, run, server, address
}

func TestF112EqualBodiesLookDifferent(t *testing.T) {
	s, w, _, _, _ := tapped(t)
	seen := make(map[string]bool)
	for range 20 {
		if err := s.Call(t.Context(), "/add", []int{1, 2, 3}, nil); err != nil {
			t.Fatal(err)
		}
		for _, up := range []bool{true, false} {
			body := string(w.last(t, up).Body)
			if seen[body] {
				t.Errorf("seen twice: %s", body)
			}
			seen[body] = true
		}
	}
}

func TestF112MessageThatIsSentAgainIsRefused(t *testing.T) {
	s, w, run, server, address := tapped(t)
	if err := s.Call(t.Context(), "/add", []int{1, 2, 3}, nil); err != nil {
		t.Fatal(err)
	}
	call := w.last(t, true)
	if err := s.Push(t.Context(), "/note", []int{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	rpctest.Eventually(t, "both are handled", func() bool { return run.ran() == 2 })
	push := w.last(t, true)

	other := dialWire(t, address) // another session of somebody who has no key
	for range 3 {
		m := other.roundTrip(t, call)
		if status.CodeOf(m.Status) != status.Conflict || m.Status.Cause != "the message was seen before" {
			t.Errorf("got %v", m.Status)
		}
		if err := other.Pack(&push); err != nil {
			t.Fatal(err)
		}
	}
	// The same session, too: what goes up goes up twice.
	w.set(func(m *message.Message, up bool) []*message.Message {
		if !up {
			return []*message.Message{m}
		}
		again := *m
		again.Seq += 1000
		return []*message.Message{m, &again}
	})
	s.Call(t.Context(), "/add", []int{1, 2, 3}, nil) // either of the two may come first
	rpctest.Eventually(t, "both are answered", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.down) == 2
	})
	refused := 0
	w.mu.Lock()
	for _, m := range w.down {
		if status.CodeOf(m.Status) == status.Conflict {
			refused++
		}
	}
	w.mu.Unlock()
	if refused != 1 || run.ran() != 3 {
		t.Errorf("%d of 2 are refused, %d handlers ran", refused, run.ran())
	}
	rpctest.Eventually(t, "all have ended", func() bool { return server.Stats().Handlers == 0 })
	if run.ran() != 3 {
		t.Errorf("%d handlers ran", run.ran())
	}
}

// TestF112MessageThatIsMovedIsRefused: to another route, as another type, to the side it
// comes from, in another codec, or with a bit that is not its own.
func TestF112MessageThatIsMovedIsRefused(t *testing.T) {
	s, w, run, server, _ := tapped(t)
	newService(t, server.Group("other"))
	for name, change := range map[string]func(m *message.Message){
		"route": func(m *message.Message) { m.Method = "/also" },
		"group": func(m *message.Message) { m.Method = "/other/add" },
		"codec": func(m *message.Message) { m.Codec = 'x' },
		"flags": func(m *message.Message) { m.Body = flip(t, m.Body, 0) },
		"who":   func(m *message.Message) { m.Body = flip(t, m.Body, 1) },
		"count": func(m *message.Message) { m.Body = flip(t, m.Body, 24) },
		"time":  func(m *message.Message) { m.Body = flip(t, m.Body, 32) },
		"nonce": func(m *message.Message) { m.Body = flip(t, m.Body, 33) },
		"text":  func(m *message.Message) { m.Body = flip(t, m.Body, 45) },
		"tag":   func(m *message.Message) { m.Body = flip(t, m.Body, -1) },
		"key":   func(m *message.Message) { m.Body = bytes.Replace(m.Body, []byte("gcm1:old"), []byte("gcm1:Old"), 1) },
	} {
		w.set(func(m *message.Message, up bool) []*message.Message {
			if up {
				change(m)
			}
			return []*message.Message{m}
		})
		if err := s.Call(t.Context(), "/add", []int{1, 2, 3}, nil); status.CodeOf(err) != status.Conflict {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.set(func(m *message.Message, up bool) []*message.Message {
		if up {
			m.Type, m.Method = message.Call, "/add"
		}
		return []*message.Message{m}
	})
	if err := s.Push(t.Context(), "/add", []int{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	rpctest.Eventually(t, "the push that became a call is answered", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.down) == 1
	})
	if m := w.last(t, false); status.CodeOf(m.Status) != status.Conflict || run.ran() != 0 {
		t.Errorf("got %v, %d handlers ran", m.Status, run.ran())
	}
}

// flip changes a byte of the text in an envelope of JSON; -1 is the last one.
func flip(t *testing.T, body []byte, at int) []byte {
	var e map[string]string
	if err := json.Unmarshal(body, &e); err != nil {
		t.Error(err)
		return body
	}
	text, err := base64.StdEncoding.DecodeString(e["ciphertext"])
	if err != nil {
		t.Error(err)
		return body
	}
	text[(at+len(text))%len(text)] ^= 1
	e["ciphertext"] = base64.StdEncoding.EncodeToString(text)
	b, err := json.Marshal(e)
	if err != nil {
		t.Error(err)
	}
	return b
}

// TestF112MessageIsNotTakenBackByItsSender, whose handlers know the route as well.
func TestF112MessageIsNotTakenBackByItsSender(t *testing.T) {
	server, _ := secured(t, securebody.Options{Required: true})
	client, _ := secured(t, securebody.Options{Required: true})
	newService(t, server)
	back := newService(t, client)
	s := make(chan *wire, 1)
	near := newMirror(t, s)
	session := rpctest.Dial(t, client, near)
	answered := session.Go(t.Context(), "/add", []int{1, 2, 3}, nil)
	w := rpctest.Receive(t, "the client calls", s)
	call, err := w.read()
	if err != nil {
		t.Fatal(err)
	}
	m := w.roundTrip(t, *call)
	if status.CodeOf(m.Status) != status.Conflict || back.ran() != 0 {
		t.Errorf("got %v, %d handlers ran", m.Status, back.ran())
	}
	w.Close()
	rpctest.Code(t, answered.Wait(), status.ConnectionClosed)
}

// TestF112ReplyBelongsToItsCall: two of them that change places are both refused.
func TestF112ReplyBelongsToItsCall(t *testing.T) {
	s, w, _, _, _ := tapped(t)
	var held *message.Message
	w.set(func(m *message.Message, up bool) []*message.Message {
		switch {
		case up:
			return []*message.Message{m}
		case held == nil:
			held = m
			return nil
		default:
			m.Seq, held.Seq = held.Seq, m.Seq
			return []*message.Message{m, held}
		}
	})
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			if err := s.Call(t.Context(), "/add", []int{1, 2, 3}, nil); status.CodeOf(err) != status.Conflict {
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
	// An old reply to a new call is none either.
	w.set(nil)
	if err := s.Call(t.Context(), "/add", []int{1, 2, 3}, nil); err != nil {
		t.Fatal(err)
	}
	old := w.last(t, false)
	w.set(func(m *message.Message, up bool) []*message.Message {
		if !up {
			m.Body = old.Body
		}
		return []*message.Message{m}
	})
	rpctest.Code(t, s.Call(t.Context(), "/add", []int{1, 2, 3}, nil), status.Conflict)
	rpctest.Code(t, s.Call(t.Context(), "/also", []int{1, 2, 3}, nil), status.Conflict)
}

// TestManyCallersAndSessions: nothing that is fresh is refused, whatever the order.
func TestManyCallersAndSessions(t *testing.T) {
	server, p := secured(t, securebody.Options{Required: true})
	client, _ := secured(t, securebody.Options{Required: true})
	newService(t, server)
	rpctest.Handle(t, server, "/ordered", func(_ rpc.Context, n int) (int, error) { return n, nil }, rpc.Ordered())
	address := rpctest.OnLoopback(t, server)
	c := client.Client(address)
	defer c.Close()
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for i := range 100 {
				var sum int
				if err := c.Call(t.Context(), "/add", []int{i, 1}, &sum); err != nil || sum != i+1 {
					t.Errorf("got %d, %v", sum, err)
				}
				if err := c.Call(t.Context(), "/ordered", i, &sum); err != nil || sum != i {
					t.Errorf("got %d, %v", sum, err)
				}
				// A call that is never sent leaves a number unused.
				rpctest.Code(t, c.Call(t.Context(), "/nowhere", i, nil), status.NotFound)
			}
		})
	}
	all.Wait()
	// On its next sessions the client counts anew.
	for range 5 {
		s, ok := c.Session()
		if !ok {
			t.Fatal("there is no session")
		}
		s.Close()
		rpctest.Receive(t, "it ends", s.Done())
		if err := c.Call(t.Context(), "/add", []int{1}, nil); err != nil {
			t.Error(err)
		}
	}
	if got := p.Stats(); got.Refused != 0 || got.Decrypted != 3205 {
		t.Errorf("got %+v", got)
	}
}

// TestProxyNeedsNoKey: it carries over other connections what it cannot read.
func TestProxyNeedsNoKey(t *testing.T) {
	server, _ := secured(t, securebody.Options{Required: true})
	client, _ := secured(t, securebody.Options{Required: true})
	newService(t, server)
	var to *rpc.Client
	middle := rpctest.Endpoint(t, rpc.Config{Plugins: []rpc.Plugin{
		proxy.New(func(context.Context, proxy.Label) (proxy.Forwarder, error) { return to, nil }, proxy.Options{}),
	}})
	to = middle.Client(rpctest.OnLoopback(t, server))
	s := rpctest.Dial(t, client, rpctest.OnLoopback(t, middle))
	for range 3 {
		var sum int
		if err := s.Call(rpctest.Timeout(t, 10*time.Second), "/add", []int{1, 2, 3}, &sum); err != nil || sum != 6 {
			t.Fatalf("got %d, %v", sum, err)
		}
		behind, _ := to.Session()
		behind.Close()
		rpctest.Receive(t, "the connection behind is lost", behind.Done())
	}
}
