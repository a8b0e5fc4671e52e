package rpc_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/status"
)

// diary notes, in one line for each exchange, which hooks saw it and how it ended.
type diary struct {
	lines chan string
	panic bool
}

func (d *diary) Name() string { return "diary" }

type diaryKey struct{}

func (d *diary) begin(a *rpc.Attributes, onEnd func(func(error)), word string) error {
	a.Store(diaryKey{}, word)
	onEnd(func(err error) {
		text, _ := a.Load(diaryKey{})
		d.lines <- fmt.Sprint(text, ": ", status.CodeOf(err))
	})
	onEnd(func(error) { // the last one is the first
		if d.panic {
			panic("at the end")
		}
		d.add(a, "end")
	})
	return nil
}

func (d *diary) add(a *rpc.Attributes, word string) error {
	text, _ := a.Load(diaryKey{})
	a.Store(diaryKey{}, fmt.Sprint(text, " ", word))
	return nil
}

func (d *diary) BeforeWriteCall(c rpc.WriteCtx) error {
	return d.begin(c.Attributes(), c.OnEnd, "call")
}
func (d *diary) BeforeWritePush(c rpc.WriteCtx) error {
	return d.begin(c.Attributes(), c.OnEnd, "push")
}
func (d *diary) AfterReadCallHeader(c rpc.ReadCtx) error {
	return d.begin(c.Attributes(), c.OnEnd, "called")
}
func (d *diary) AfterReadPushHeader(c rpc.ReadCtx) error {
	return d.begin(c.Attributes(), c.OnEnd, "pushed")
}
func (d *diary) AfterWriteReply(c rpc.WriteCtx) error     { return d.add(c.Attributes(), "answered") }
func (d *diary) AfterReadReplyHeader(c rpc.ReadCtx) error { return d.add(c.Attributes(), "reply") }

// TestExchangeLastsFromTheCallToItsEnd: hooks of the REPLY see what those of the CALL
// have kept, and all ends are told, also those without a reply.
func TestExchangeLastsFromTheCallToItsEnd(t *testing.T) {
	for _, cell := range combinations() {
		t.Run(cell.name, func(t *testing.T) { testExchange(t, cell) })
	}
}

func testExchange(t *testing.T, cell combination) {
	near, far := &diary{lines: make(chan string, 10)}, &diary{lines: make(chan string, 10)}
	server := rpc.Config{Proto: cell.proto, Plugins: []rpc.Plugin{far}}
	client := rpc.Config{Proto: cell.proto, Plugins: []rpc.Plugin{near}}
	b := newBed(t, server, client, cell.address(t))
	echo(t, b.server)
	mustHandle(t, b.server, "/fail", func(rpc.Context, any) (any, error) { return nil, status.New(1001, "") })
	mustHandlePush(t, b.server, "/note", func(rpc.Context, any) error { return errors.New("no") })
	g := newGate(t, b.server, rpc.WithTimeout(50*time.Millisecond))
	s := b.dial()
	want := func(c chan string, line string) {
		t.Helper()
		if got := within(t, 10*time.Second, line, c); got != line {
			t.Errorf("got %q, want %q", got, line)
		}
	}
	s.Call(t.Context(), "/echo", "x", nil)
	want(near.lines, "call reply end: ")
	want(far.lines, "called answered end: ")
	s.Call(t.Context(), "/fail", "x", nil)
	want(near.lines, "call reply end: code 1001")
	want(far.lines, "called answered end: code 1001")
	s.Call(t.Context(), "/nowhere", "x", nil)
	want(near.lines, "call reply end: Not Found")
	want(far.lines, "called answered end: Not Found")
	s.Push(t.Context(), "/note", "x")
	want(near.lines, "push end: ")
	want(far.lines, "pushed end: Unknown Error")
	s.Push(t.Context(), "/nowhere", "x")
	want(near.lines, "push end: ")
	want(far.lines, "pushed end: Not Found")
	s.Call(t.Context(), "/echo", func() {}, nil)
	want(near.lines, "call end: Write Failed")
	// The caller has its answer, the handler goes on.
	s.Call(t.Context(), "/gate", nil, nil)
	want(near.lines, "call reply end: Handle Timeout")
	select {
	case line := <-far.lines:
		t.Errorf("the handler has not returned: %s", line)
	default:
	}
	close(g.open)
	// Its deadline has answered the call, and may be in the middle of that.
	if line := within(t, 10*time.Second, "the end", far.lines); !strings.HasSuffix(line, ": ") {
		t.Errorf("got %q", line)
	}
}

func TestPanicAtTheEndOfAnExchangeIsLogged(t *testing.T) {
	p := &diary{lines: make(chan string, 10), panic: true}
	b := onTCP(t, rpc.Config{Plugins: []rpc.Plugin{p}})
	echo(t, b.server)
	if err := b.dial().Call(t.Context(), "/echo", "x", nil); err != nil {
		t.Error(err)
	}
	within(t, 10*time.Second, "the other function is called", p.lines)
	if !strings.Contains(b.serverLog.String(), "at the end") {
		t.Errorf("log: %s", b.serverLog)
	}
	eventually(t, "the handler is done", func() bool { return b.server.Stats().Handled == 1 })
}

// TestOnEndAfterTheEndIsCalledAtOnce: a deadline may answer a call whose handler has
// just returned.
func TestOnEndAfterTheEndIsCalledAtOnce(t *testing.T) {
	kept := make(chan rpc.ReadCtx, 1)
	b := onTCP(t, rpc.Config{Plugins: []rpc.Plugin{hoarder{kept}}})
	echo(t, b.server)
	if err := b.dial().Call(t.Context(), "/echo", "x", nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the handler is done", func() bool { return b.server.Stats().Handled == 1 })
	called := false
	(<-kept).OnEnd(func(err error) { called = err == nil })
	if !called {
		t.Error("it was not called")
	}
}

type hoarder struct{ kept chan rpc.ReadCtx }

func (k hoarder) Name() string { return "hoarder" }
func (k hoarder) AfterReadCallBody(c rpc.ReadCtx) error {
	c.Attributes()
	k.kept <- c
	return nil
}

// calmer gives something back in every hook of an end; grumbler, before it, fails in all.
type calmer struct{ called chan string }

func (c calmer) Name() string                                  { return "calmer" }
func (c calmer) note(hook string) error                        { c.called <- hook; return nil }
func (c calmer) AfterDisconnect(rpc.BaseSession) error         { return c.note("AfterDisconnect") }
func (c calmer) AfterWriteCall(rpc.WriteCtx) error             { return c.note("AfterWriteCall") }
func (c calmer) AfterWriteReply(rpc.WriteCtx) error            { return c.note("AfterWriteReply") }
func (c calmer) AfterWritePush(rpc.WriteCtx) error             { return c.note("AfterWritePush") }
func (c calmer) AfterDialFail(string, error, bool) error       { return c.note("AfterDialFail") }
func (c calmer) BeforeCloseEndpoint(*rpc.Endpoint) error       { return c.note("BeforeCloseEndpoint") }
func (c calmer) AfterCloseEndpoint(*rpc.Endpoint, error) error { return c.note("AfterCloseEndpoint") }

type grumbler struct{}

var errGrumble = errors.New("grumble")

func (grumbler) Name() string                                  { return "grumbler" }
func (grumbler) AfterDisconnect(rpc.BaseSession) error         { panic(errGrumble) }
func (grumbler) AfterWriteCall(rpc.WriteCtx) error             { return errGrumble }
func (grumbler) AfterWriteReply(rpc.WriteCtx) error            { panic(errGrumble) }
func (grumbler) AfterWritePush(rpc.WriteCtx) error             { return errGrumble }
func (grumbler) AfterDialFail(string, error, bool) error       { return errGrumble }
func (grumbler) BeforeCloseEndpoint(*rpc.Endpoint) error       { return errGrumble }
func (grumbler) AfterCloseEndpoint(*rpc.Endpoint, error) error { return errGrumble }

func TestHooksOfAnEndAreAllCalled(t *testing.T) {
	c := calmer{make(chan string, 10)}
	log := new(logBook)
	e, err := rpc.New(rpc.Config{Plugins: []rpc.Plugin{grumbler{}, c}, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	b := onTCP(t, rpc.Config{})
	mustHandle(t, e, "/own", func(rpc.Context, any) (any, error) { return nil, nil })
	want := func(hook string) {
		t.Helper()
		if got := within(t, 10*time.Second, hook, c.called); got != hook {
			t.Errorf("%s was called, not %s", got, hook)
		}
	}
	s, err := e.Dial(t.Context(), b.address)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, s.Call(t.Context(), "/nowhere", nil, nil), status.NotFound)
	want("AfterWriteCall")
	if err := s.Push(t.Context(), "/nowhere", nil); err != nil {
		t.Error(err)
	}
	want("AfterWritePush")
	if err := b.accepted().Call(t.Context(), "/own", nil, nil); err != nil {
		t.Error(err)
	}
	want("AfterWriteReply")
	s.Close()
	want("AfterDisconnect")
	if _, err := e.Dial(t.Context(), "tcp://127.0.0.1:1"); err == nil {
		t.Error("there is somebody")
	}
	want("AfterDialFail")
	err = e.Close()
	want("BeforeCloseEndpoint")
	want("AfterCloseEndpoint")
	if !errors.Is(err, errGrumble) || strings.Count(log.String(), "grumble") < 5 {
		t.Errorf("Close returned %v; log: %s", err, log)
	}
}
