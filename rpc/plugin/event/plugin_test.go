package event_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dserver/dserver/eventbus"
	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/plugin/event"
	"github.com/dserver/dserver/rpc/status"
)

// newBus is closed at the end of the test.
func newBus(t *testing.T) *eventbus.Bus {
	b := eventbus.New()
	t.Cleanup(func() {
		if err := b.Close(rpctest.Timeout(t, 10*time.Second)); err != nil {
			t.Error(err)
		}
	})
	return b
}

// on collects the events of a type.
func on[E event.Event](t *testing.T, b *eventbus.Bus) chan E {
	t.Helper()
	c := make(chan E, 1000)
	if _, err := eventbus.On(b, eventbus.Options{}, func(_ context.Context, e E) error { c <- e; return nil }); err != nil {
		t.Fatal(err)
	}
	return c
}

// named collects the events that a pattern means.
func named(t *testing.T, b *eventbus.Bus, pattern string) chan eventbus.Event {
	t.Helper()
	c := make(chan eventbus.Event, 1000)
	if _, err := b.Subscribe(pattern, eventbus.Options{}, func(_ context.Context, e eventbus.Event) error { c <- e; return nil }); err != nil {
		t.Fatal(err)
	}
	return c
}

// teller is an endpoint that tells a bus of its own.
func teller(t *testing.T, o event.Options) (*rpc.Endpoint, *eventbus.Bus) {
	bus := newBus(t)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return rpctest.Endpoint(t, rpc.Config{LastPlugins: []rpc.Plugin{event.New(bus, o)}}), bus
}

func TestSessionsAreToldOf(t *testing.T) {
	server, serverBus := teller(t, event.Options{})
	client, clientBus := teller(t, event.Options{})
	address := rpctest.OnLoopback(t, server)
	accepted, left := on[event.Opened](t, serverBus), on[event.Closed](t, serverBus)
	dialled, lost := on[event.Opened](t, clientBus), on[event.Closed](t, clientBus)
	all := named(t, clientBus, "rpc.session.*")

	s := rpctest.Dial(t, client, address)
	near := rpctest.Receive(t, "the client's side is told of", dialled)
	far := rpctest.Receive(t, "the server's side is told of", accepted)
	if near.Session != rpc.BaseSession(s) || !near.Session.Dialed() || near.Redial || far.Session.Dialed() {
		t.Errorf("got %+v and %+v", near, far)
	}
	if far.Session.RemoteAddr().String() != s.LocalAddr().String() {
		t.Errorf("accepted from %v", far.Session.RemoteAddr())
	}
	s.Close()
	end := rpctest.Receive(t, "the client's end is told of", lost)
	if end.Session != near.Session || end.Reason == nil || end.Lasted <= 0 {
		t.Errorf("got %+v", end)
	}
	if end := rpctest.Receive(t, "the server's end is told of", left); !errors.Is(end.Reason, io.EOF) || end.Session != far.Session {
		t.Errorf("got %+v", end)
	}
	for _, want := range []event.Event{near, end} {
		if e := rpctest.Receive(t, "it has a name", all); e.Name != want.EventName() || e.Data != any(want) {
			t.Errorf("got %+v, want %+v", e, want)
		}
	}
}

func TestRedialsAndFailuresAreToldOf(t *testing.T) {
	server := rpctest.Endpoint(t, rpc.Config{})
	client, bus := teller(t, event.Options{})
	address := rpctest.OnLoopback(t, server)
	dialled, lost, failed := on[event.Opened](t, bus), on[event.Closed](t, bus), on[event.DialFailed](t, bus)
	c := client.Client(address, rpc.WithRedial(rpc.Redial{Attempts: 1}))
	defer c.Close()
	var sessions []rpc.BaseSession
	for n := range 3 {
		rpctest.Code(t, c.Call(t.Context(), "/nowhere", nil, nil), status.NotFound)
		e := rpctest.Receive(t, "a session", dialled)
		if e.Redial != (n > 0) {
			t.Errorf("session %d: %+v", n, e)
		}
		sessions = append(sessions, e.Session)
		for _, s := range server.Sessions() {
			s.Close()
		}
		if e := rpctest.Receive(t, "its end", lost); e.Session != sessions[n] {
			t.Errorf("the end of session %d is that of another one", n)
		}
	}
	server.Close()
	rpctest.Code(t, c.Call(t.Context(), "/nowhere", nil, nil), status.DialFailed)
	if e := rpctest.Receive(t, "a failure", failed); e.Address != address || !e.Redial || status.CodeOf(e.Err) != status.DialFailed {
		t.Errorf("got %+v", e)
	}
	n := 0
	for range c.Attributes().All() {
		n++
	}
	if n != 0 {
		t.Errorf("%d attributes are left", n)
	}
}

func TestMessagesAreToldOfOnRequest(t *testing.T) {
	server, serverBus := teller(t, event.Options{Messages: true})
	client, clientBus := teller(t, event.Options{Messages: true})
	silent, silentBus := teller(t, event.Options{})
	address := rpctest.OnLoopback(t, server)
	rpctest.Handle(t, server, "/fail", func(rpc.Context, any) (any, error) { return nil, status.New(1001, "") })
	rpctest.Handle(t, server, "/add", func(_ rpc.Context, n int) (int, error) { return n + 1, nil })
	rpctest.HandlePush(t, server, "/note", func(rpc.Context, any) error { return nil })
	received, answered := on[event.Received](t, serverBus), on[event.Answered](t, serverBus)
	returned := on[event.Returned](t, clientBus)
	nothing := named(t, silentBus, "rpc.call.**")
	s := rpctest.Dial(t, client, address)
	quiet := rpctest.Dial(t, silent, address)

	for _, test := range []struct {
		method string
		body   any
		code   status.Code
		reads  bool // the handler gets it
	}{
		{"/add", 1, status.OK, true},
		{"/fail", 1, 1001, true},
		{"/add", "text", status.BadMessage, false},
		{"/nowhere", 1, status.NotFound, false},
	} {
		rpctest.Code(t, s.Call(t.Context(), test.method, test.body, nil), test.code)
		if test.reads {
			if e := rpctest.Receive(t, "it is received", received); e.Type != message.Call || e.Method != test.method || e.Seq == 0 || e.Session == nil {
				t.Errorf("got %+v", e)
			}
		}
		if e := rpctest.Receive(t, "it is answered", answered); e.Method != test.method || e.Code != test.code || e.Took <= 0 || e.Seq == 0 || e.Session == nil {
			t.Errorf("got %+v", e)
		}
		if e := rpctest.Receive(t, "it returns", returned); e.Method != test.method || e.Code != test.code || e.Took <= 0 || e.Session != s {
			t.Errorf("got %+v", e)
		}
	}
	if err := s.Push(t.Context(), "/note", 1); err != nil {
		t.Fatal(err)
	}
	if e := rpctest.Receive(t, "the push is received", received); e.Type != message.Push || e.Method != "/note" {
		t.Errorf("got %+v", e)
	}
	// A call that has no reply returns, too.
	rpctest.Code(t, s.Call(t.Context(), "/add", func() {}, nil), status.WriteFailed)
	if e := rpctest.Receive(t, "it returns", returned); e.Code != status.WriteFailed {
		t.Errorf("got %+v", e)
	}
	rpctest.Code(t, quiet.Call(t.Context(), "/add", 1, nil), status.OK)
	if len(nothing) > 0 {
		t.Errorf("not asked for: %+v", <-nothing)
	}
}

// TestSessionThatIsTurnedAwayIsNotToldOf if the plugin stands last.
func TestSessionThatIsTurnedAwayIsNotToldOf(t *testing.T) {
	bus := newBus(t)
	e := rpctest.Endpoint(t, rpc.Config{Plugins: []rpc.Plugin{nobody{}}, LastPlugins: []rpc.Plugin{event.New(bus, event.Options{})}})
	all := named(t, bus, "rpc.**")
	s := rpctest.Dial(t, rpctest.Endpoint(t, rpc.Config{}), rpctest.OnLoopback(t, e))
	rpctest.Receive(t, "it ends", s.Done())
	e.Close()
	if len(all) > 0 {
		t.Errorf("got %+v", <-all)
	}
}

type nobody struct{}

func (nobody) Name() string                       { return "nobody" }
func (nobody) AfterAccept(rpc.EarlySession) error { return errors.New("not today") }

func TestSubscribersThatFailChangeNothing(t *testing.T) {
	var log lockedBuffer
	server, bus := teller(t, event.Options{Messages: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	rpctest.Handle(t, server, "/add", func(_ rpc.Context, n int) (int, error) { return n + 1, nil })
	address := rpctest.OnLoopback(t, server)
	for _, err := range []error{errors.New("broken subscriber"), fmt.Errorf("mine: %w", eventbus.ErrAbort)} {
		if _, err := bus.Subscribe("rpc.**", eventbus.Options{}, func(context.Context, eventbus.Event) error { return err }); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := eventbus.On(bus, eventbus.Options{}, func(context.Context, event.Opened) error { panic("broken") }); err != nil {
		t.Fatal(err)
	}
	client := rpctest.Endpoint(t, rpc.Config{})
	if err := rpctest.Dial(t, client, address).Call(t.Context(), "/add", 1, nil); err != nil {
		t.Error(err)
	}
	if err := bus.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := rpctest.Dial(t, client, address).Call(t.Context(), "/add", 1, nil); err != nil {
		t.Errorf("with a closed bus: %v", err)
	}
	server.Close()
	text := log.String()
	if strings.Contains(text, eventbus.ErrClosed.Error()) || strings.Contains(text, "mine: ") || !strings.Contains(text, "broken subscriber") || !strings.Contains(text, "panic: broken") {
		t.Errorf("log: %s", text)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestNamesOfEvents(t *testing.T) {
	seen := make(map[string]bool)
	for _, e := range []event.Event{event.Opened{}, event.Closed{}, event.DialFailed{}, event.Received{}, event.Answered{}, event.Returned{}} {
		if name := e.EventName(); seen[name] || !strings.HasPrefix(name, "rpc.") || strings.Count(name, ".") != 2 {
			t.Errorf("%T is called %q", e, name)
		} else {
			seen[name] = true
		}
	}
}

func TestManySessionsAtOnce(t *testing.T) {
	server, bus := teller(t, event.Options{Messages: true})
	opened, closed := on[event.Opened](t, bus), on[event.Closed](t, bus)
	address := rpctest.OnLoopback(t, server)
	client := rpctest.Endpoint(t, rpc.Config{})
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			s, err := client.Dial(t.Context(), address)
			if err != nil {
				t.Error(err)
				return
			}
			s.Call(t.Context(), "/nowhere", nil, nil)
			s.Close()
			<-s.Done()
		})
	}
	all.Wait()
	told := make(map[rpc.BaseSession]bool)
	for range 100 {
		told[rpctest.Receive(t, "a session", opened).Session] = true
	}
	for range 100 {
		e := rpctest.Receive(t, "an end", closed)
		if !told[e.Session] {
			t.Error("the end of a session that was not told of, or was twice")
		}
		delete(told, e.Session)
	}
}
