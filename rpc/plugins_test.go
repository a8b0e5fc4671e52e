package rpc_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/status"
)

// named is the name of a plugin of a test.
type named string

func (n named) Name() string { return string(n) }

// keeper is a plugin that begins something with an endpoint and ends it.
type keeper struct {
	named
	mu   sync.Mutex
	open int
}

func (k *keeper) add(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.open += n
}

func (k *keeper) AfterNewEndpoint(*rpc.Endpoint) error {
	k.add(1)
	return nil
}

func (k *keeper) AfterCloseEndpoint(*rpc.Endpoint, error) error {
	k.add(-1)
	return nil
}

// afterNew is a plugin that sees a new endpoint.
type afterNew struct {
	named
	f func(e *rpc.Endpoint) error
}

func (p afterNew) AfterNewEndpoint(e *rpc.Endpoint) error { return p.f(e) }

func TestWhatHooksBeganEndsWhenNewFails(t *testing.T) {
	broken := errors.New("broken")
	k := &keeper{named: "keeper"}
	fails := afterNew{"fails", func(*rpc.Endpoint) error { return broken }}
	if _, err := rpc.New(rpc.Config{Plugins: []rpc.Plugin{k, fails}}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if k.open != 0 {
		t.Errorf("%d are open", k.open)
	}
}

// panics is a plugin that panics where a session, a call or a push comes in.
type panics struct {
	named
	inSession, inCall, inPush bool
}

func (p panics) when(now bool) error {
	if now {
		panic("as asked")
	}
	return nil
}

func (p panics) BeforeReadHeader(rpc.EarlyCtx) error  { return p.when(p.inSession) }
func (p panics) BeforeReadCallBody(rpc.ReadCtx) error { return p.when(p.inCall) }
func (p panics) BeforeReadPushBody(rpc.ReadCtx) error { return p.when(p.inPush) }

func TestLogTellsWhereAPluginPanicked(t *testing.T) {
	for _, p := range []panics{{inSession: true}, {inCall: true}, {inPush: true}} {
		p.named = "broken"
		b := onTCP(t, rpc.Config{Plugins: []rpc.Plugin{p}})
		echo(t, b.server)
		mustHandlePush(t, b.server, "/note", func(rpc.Context, string) error { return nil })
		s := b.dial()
		if err := s.Call(t.Context(), "/echo", "x", nil); err == nil && !p.inPush {
			t.Errorf("%+v: the call succeeds", p)
		}
		if err := s.Push(t.Context(), "/note", "x"); err != nil && !p.inSession {
			t.Errorf("%+v: %v", p, err)
		}
		eventually(t, "the log tells of the panic", func() bool {
			log := b.serverLog.String()
			return strings.Contains(log, "plugin broken panicked in") && strings.Contains(log, "plugins_test.go:")
		})
	}
}

// replies is a plugin that notes the codes of replies.
type replies struct {
	named
	codes chan status.Code
}

func (p replies) BeforeWriteReply(c rpc.WriteCtx) error {
	code := status.OK
	if st := c.Status(); st != nil {
		code = st.Code
	}
	p.codes <- code
	return nil
}

// TestF69ErrorsBeforeTheHandlerReachThePlugins: those of the route once it is known.
func TestF69ErrorsBeforeTheHandlerReachThePlugins(t *testing.T) {
	all, own := replies{"all", make(chan status.Code, 10)}, replies{"own", make(chan status.Code, 10)}
	b := onTCP(t, rpc.Config{Plugins: []rpc.Plugin{all}})
	mustHandle(t, b.server, "/number", func(rpc.Context, int) (int, error) { return 1, nil }, rpc.WithPlugins(own))
	g := newGate(t, b.server, rpc.WithPlugins(own), rpc.WithLimit(1))
	s := b.dial()
	for _, c := range []struct {
		method string
		body   string
		code   status.Code
		route  bool
	}{
		{"/nowhere", `1`, status.NotFound, false},
		{"/number", `"text"`, status.BadMessage, true},
		{"/number", `{`, status.BadMessage, true},
	} {
		wantCode(t, s.Call(t.Context(), c.method, []byte(c.body), nil), c.code)
		if got := within(t, 10*time.Second, "the endpoint's plugin sees it", all.codes); got != c.code {
			t.Errorf("%s: the endpoint's plugin sees %d", c.method, got)
		}
		if !c.route {
			continue
		}
		if got := within(t, 10*time.Second, "the route's plugin sees it", own.codes); got != c.code {
			t.Errorf("%s: the route's plugin sees %d", c.method, got)
		}
	}
	first := s.Go(t.Context(), "/gate", nil, nil)
	within(t, 10*time.Second, "one is in", g.entered)
	wantCode(t, s.Call(t.Context(), "/gate", nil, nil), status.Overloaded)
	if got := within(t, 10*time.Second, "the route's plugin sees the bound", own.codes); got != status.Overloaded {
		t.Errorf("the route's plugin sees %d", got)
	}
	close(g.open)
	if err := first.Wait(); err != nil {
		t.Error(err)
	}
	if len(own.codes) != 1 || len(all.codes) != 2 {
		t.Errorf("%d and %d more", len(own.codes), len(all.codes))
	}
}

// lateAdder is a plugin that adds another one to the configuration.
type lateAdder struct {
	named
	p rpc.Plugin
}

func (a lateAdder) BeforeNewEndpoint(c *rpc.Config) error {
	c.LastPlugins = append(c.LastPlugins, a.p)
	return nil
}

// pointed has its hook on the pointer.
type pointed struct{ named }

func (*pointed) AfterWriteCall(rpc.WriteCtx) error { return nil }

func TestPluginsAreRefused(t *testing.T) {
	nothing := func(string, string, any) error { return nil }
	all := newAllHooks("all", nothing)
	for name, c := range map[string]struct {
		plugin   rpc.Plugin
		why      string
		anywhere bool // not only at a route
	}{
		"nil":                            {nil, "it needs a name", true},
		"without a name":                 {newAllHooks("", nothing).routeHooks, "it needs a name", true},
		"without a hook":                 {named("idle"), "plugin idle: it has no hook", true},
		"with its hook on the pointer":   {pointed{"pointed"}, "methods on the pointer", true},
		"with hooks of an endpoint":      {all, "called for an endpoint only", false},
		"with hooks of a connection":     {onAccept{"accepts", nil}, "called for an endpoint only", false},
		"with hooks of a caller":         {&pointed{"pointed"}, "called for an endpoint only", false},
		"with hooks of another endpoint": {lateAdder{"adds", all}, "called for an endpoint only", false},
	} {
		t.Run(name, func(t *testing.T) {
			wantRefused := func(where string, err error) {
				t.Helper()
				if err == nil || !strings.Contains(err.Error(), c.why) {
					t.Errorf("%s: got %v", where, err)
				}
			}
			if c.anywhere {
				for where, config := range map[string]rpc.Config{
					"first": {Plugins: []rpc.Plugin{all, c.plugin}},
					"last":  {LastPlugins: []rpc.Plugin{c.plugin}},
					"added": {Plugins: []rpc.Plugin{lateAdder{"adds", c.plugin}}},
				} {
					_, err := rpc.New(config)
					wantRefused(where, err)
				}
			}
			e := newEndpoint(t, rpc.Config{})
			handler := func(rpc.Context, string) (string, error) { return "", nil }
			push := func(rpc.Context, string) error { return nil }
			g := e.Group("/group", c.plugin)
			at := rpc.WithPlugins(c.plugin)
			wantRefused("route", rpc.Handle(e, "/call", handler, at))
			wantRefused("push", rpc.HandlePush(e, "/push", push, at))
			wantRefused("group", rpc.Handle(g, "/call", handler))
			wantRefused("group in group", rpc.Handle(g.Group("/inner"), "/call", handler))
			wantRefused("unknown", rpc.HandleUnknownCall(e, func(rpc.Context, []byte) (any, error) { return nil, nil }, at))
			if n := len(e.Routes()); n != 0 {
				t.Errorf("%d routes are there", n)
			}
		})
	}
}
