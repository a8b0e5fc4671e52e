package rpc_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// trail is a plugin that adds its name to the metadata of replies, and refuses a route if
// it has an error.
type trail struct {
	name string
	log  *logBook
	err  error
}

func (p trail) Name() string { return p.name }

func (p trail) AfterRegister(r rpc.Route) error {
	if p.log != nil {
		fmt.Fprintf(p.log, "%s:%s ", p.name, r.Method)
	}
	return p.err
}

func (p trail) BeforeReadCallBody(c rpc.ReadCtx) error {
	before, _ := c.Attributes().LoadOrStore("trail", "")
	c.Attributes().Store("trail", fmt.Sprint(before, p.name, " "))
	return nil
}

func (p trail) BeforeWriteReply(c rpc.WriteCtx) error {
	if names, ok := c.Attributes().Load("trail"); ok {
		c.Metadata().Set("trail", fmt.Sprint(names))
	}
	return nil
}

func answer(ctx rpc.Context, _ any) (string, error) { return ctx.Method(), nil }

func TestGroupsNestWithTheirPlugins(t *testing.T) {
	log := new(logBook)
	p := func(name string) rpc.Plugin { return trail{name: name, log: log} }
	b := onTCP(t, rpc.Config{Plugins: []rpc.Plugin{p("first")}, LastPlugins: []rpc.Plugin{p("last")}})
	outer := b.server.Group("Outer", p("outer"))
	inner := outer.Group("InnerMost", p("inner"))
	err := errors.Join(
		rpc.Handle(b.server, "/plain", answer),
		rpc.Handle(outer, "a", answer),
		rpc.Handle(outer, "/b", answer, rpc.WithPlugins(p("own"), p("mine"))),
		rpc.Handle(inner, "c", answer, rpc.WithPlugins(p("own"))),
	)
	if err != nil {
		t.Fatal(err)
	}
	s := b.dial()
	for method, want := range map[string]string{
		"/plain":              "first last ",
		"/outer/a":            "first outer last ",
		"/outer/b":            "first outer own mine last ",
		"/outer/inner_most/c": "first outer inner own last ",
	} {
		var got string
		var meta message.Meta
		err := s.Call(t.Context(), method, nil, &got, rpc.WithReplyMeta(&meta))
		if err != nil || got != method || meta.Value("trail") != want {
			t.Errorf("%s: got %q by %q, %v", method, got, meta.Value("trail"), err)
		}
	}
	if want := "first:/plain last:/plain first:/outer/a outer:/outer/a last:/outer/a "; !strings.HasPrefix(log.String(), want) {
		t.Errorf("registered: %s", log)
	}
	var plugins [][]string
	for _, r := range b.server.Routes() {
		plugins = append(plugins, r.Plugins)
	}
	if want := [][]string{{"outer"}, {"outer", "own", "mine"}, {"outer", "inner", "own"}, nil}; !reflect.DeepEqual(plugins, want) {
		t.Errorf("got %v", plugins)
	}
}

func TestRouteThatAPluginRefusesIsNotThere(t *testing.T) {
	no := errors.New("not this one")
	b := onTCP(t, rpc.Config{})
	g := b.server.Group("v1", trail{name: "censor", err: no})
	if err := rpc.Handle(g, "a", answer); !errors.Is(err, no) {
		t.Errorf("got %v", err)
	}
	if err := g.Register(&Math{new(int)}); !errors.Is(err, no) {
		t.Errorf("got %v", err)
	}
	if n := len(b.server.Routes()); n != 0 {
		t.Errorf("%d routes are there", n)
	}
	wantCode(t, b.dial().Call(t.Context(), "/v1/a", nil, nil), status.NotFound)
}

// everyHook has hooks that are called for routes and some that are not.
type everyHook struct{ trail }

func (everyHook) BeforeDial() error                     { return nil } // another form: no hook
func (everyHook) AfterReadCallHeader(rpc.ReadCtx) error { return nil }

type noHook struct{}

func (noHook) Name() string { return "none" }

func TestPluginsThatWouldNeverBeCalledAreRefused(t *testing.T) {
	e := newEndpoint(t, rpc.Config{})
	for name, err := range map[string]error{
		"at a route":      rpc.Handle(e, "/a", answer, rpc.WithPlugins(everyHook{trail{name: "every"}})),
		"at a group":      rpc.Handle(e.Group("g", everyHook{trail{name: "every"}}), "a", answer),
		"unknown":         rpc.HandleUnknownCall(e, func(rpc.Context, []byte) (any, error) { return nil, nil }, rpc.WithPlugins(everyHook{trail{name: "every"}})),
		"without a hook":  rpc.Handle(e, "/a", answer, rpc.WithPlugins(noHook{})),
		"without a name":  rpc.Handle(e, "/a", answer, rpc.WithPlugins(trail{})),
		"nil":             rpc.Handle(e, "/a", answer, rpc.WithPlugins(nil)),
		"at the endpoint": newError(rpc.Config{Plugins: []rpc.Plugin{noHook{}}}),
		"at its end":      newError(rpc.Config{LastPlugins: []rpc.Plugin{nil}}),
	} {
		if err == nil || !strings.Contains(err.Error(), "cannot use plugin") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if n := len(e.Routes()); n != 0 {
		t.Errorf("%d routes are there", n)
	}
}

func newError(c rpc.Config) error {
	_, err := rpc.New(c)
	return err
}

// AddOne and its like are named by their functions.
func AddOne(_ rpc.Context, n int) (int, error) { return n + 1, nil }

func notedDown(rpc.Context, string) error { return nil }

func generic[T any](_ rpc.Context, v T) (T, error) { return v, nil }

type Counter struct{ n int }

func (c *Counter) UpBy(_ rpc.Context, n int) (int, error) { c.n += n; return c.n, nil }

func TestFunctionsAreNamedByThemselves(t *testing.T) {
	for name, test := range map[string]struct {
		mapper rpc.Mapper
		want   []string
	}{
		"HTTP": {nil, []string{"/add_one", "/generic", "/noted_down", "/v1/sub_group/add_one", "/v1/sub_group/up_by"}},
		"RPC":  {rpc.RPCMapper, []string{"AddOne", "generic", "notedDown", "v1.SubGroup.AddOne", "v1.SubGroup.UpBy"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := onTCP(t, rpc.Config{Mapper: test.mapper})
			g := b.server.Group("v1").Group("SubGroup")
			err := errors.Join(
				b.server.RegisterFunc(AddOne), b.server.RegisterFunc(notedDown), b.server.RegisterFunc(generic[string]),
				g.RegisterFunc(AddOne, rpc.Ordered()), g.RegisterFunc((&Counter{40}).UpBy),
			)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range b.server.Routes() {
				got = append(got, r.Method)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q", got)
			}
			s := b.dial()
			for method, want := range map[string]int{test.want[0]: 3, test.want[3]: 3, test.want[4]: 42} {
				var n int
				if err := s.Call(t.Context(), method, 2, &n); err != nil || n != want {
					t.Errorf("%s: got %d, %v", method, n, err)
				}
			}
		})
	}
	e := newEndpoint(t, rpc.Config{})
	for name, f := range map[string]any{
		"nil": nil, "no function": 7, "nil function": (func(rpc.Context, int) error)(nil),
		"closure": func(rpc.Context, int) error { return nil }, "form": strings.ToUpper,
		"variadic": variadic, "closure in a closure": func() any { return func(rpc.Context, int) error { return nil } }(),
	} {
		if err := e.RegisterFunc(f); err == nil || !strings.HasPrefix(err.Error(), "cannot register") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func variadic(rpc.Context, ...int) error { return nil }

func TestRPCMapperNamesGroupsAndControllers(t *testing.T) {
	b := onTCP(t, rpc.Config{Mapper: rpc.RPCMapper})
	g := b.server.Group("aB").Group("cD")
	if err := errors.Join(g.Register(&Math{new(int)}), rpc.Handle(g, "own", answer), rpc.Handle(b.server, "/slash", answer)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range b.server.Routes() {
		got = append(got, r.Method)
	}
	if want := []string{"/slash", "aB.cD.Math.Add", "aB.cD.Math.Note", "aB.cD.Math.Sub.Of", "aB.cD.own"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	var n int
	if err := b.dial().Call(t.Context(), "aB.cD.Math.Add", []int{1, 2}, &n); err != nil || n != 3 {
		t.Errorf("got %d, %v", n, err)
	}
}

// Cart is a controller of the kind that is made for each message.
type Cart struct {
	rpc.CallCtx
	Items int
	seen  map[string]int
}

// Put counts in fields, which are zero whenever it is called.
func (c *Cart) Put(n int) (string, error) {
	c.Items += n
	if c.seen == nil {
		c.seen = make(map[string]int)
	}
	c.seen[c.Meta("who")]++
	c.SetMeta("who", c.Meta("who"))
	return fmt.Sprint(c.Items, " ", len(c.seen), " ", c.Method()), nil
}

// Check answers with a status, which is an error.
func (c *Cart) Check(code int) (string, *status.Status) {
	if code == 0 {
		return "fine", nil
	}
	return "", status.New(status.Code(code), "as asked")
}

// Inbox takes PUSHes.
type Inbox struct {
	rpc.PushCtx
	count int
}

type inboxKey struct{}

// Note tells a channel that its session has.
func (i *Inbox) Note(text string) error {
	i.count++
	notes, _ := i.Session().Attributes().Load(inboxKey{})
	notes.(chan string) <- fmt.Sprint(text, i.count, i.Method())
	return nil
}

func TestF51ControllersAreMadeAnewForEachMessage(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		notes := make(chan string, 10)
		if err := errors.Join(b.server.Register(&Cart{Items: 40}), b.server.Group("v1").Register(Inbox{})); err != nil {
			t.Fatal(err)
		}
		s := b.dial()
		b.accepted().Attributes().Store(inboxKey{}, notes)
		for range 3 {
			var got string
			var meta message.Meta
			if err := s.Call(t.Context(), "/cart/put", 2, &got, rpc.WithMeta("who", "me"), rpc.WithReplyMeta(&meta)); err != nil || got != "2 1 /cart/put" || meta.Value("who") != "me" {
				t.Errorf("got %q, %v", got, err)
			}
			if err := s.Push(t.Context(), "/v1/inbox/note", "x"); err != nil {
				t.Error(err)
			}
			if got := within(t, 10*time.Second, "the push", notes); got != "x1/v1/inbox/note" {
				t.Errorf("got %q", got)
			}
		}
		var got string
		if err := s.Call(t.Context(), "/cart/check", 0, &got); err != nil || got != "fine" {
			t.Errorf("got %q, %v", got, err)
		}
		wantCode(t, s.Call(t.Context(), "/cart/check", 1001, &got), 1001)
		wantCode(t, s.Call(t.Context(), "/cart/put", "text", &got), status.BadMessage)
		for _, r := range b.server.Routes() {
			if r.Push != strings.HasPrefix(r.Method, "/v1") || r.Push != (r.Reply == nil) {
				t.Errorf("got %+v", r)
			}
		}
	})
}

// Status is of this package, not of rpc/status.
type Status struct{ Code int }

func (*Status) Error() string { return "" }

type ForeignStatus struct{}

func (ForeignStatus) Get(rpc.Context, int) (int, *Status) { return 0, nil }

type ForeignCart struct{ rpc.CallCtx }

func (*ForeignCart) Get(int) (int, *Status) { return 0, nil }

type PushWithResult struct{ rpc.PushCtx }

func (*PushWithResult) Note(int) (int, error) { return 0, nil }

type CallWithout struct{ rpc.CallCtx }

func (*CallWithout) Put(int) error { return nil }

type NoMethods struct{ rpc.CallCtx }

type WithContext struct{ rpc.CallCtx }

func (*WithContext) Put(rpc.Context, int) (int, error) { return 0, nil }

type HidesContext struct{ rpc.CallCtx }

func (*HidesContext) Get(int) (int, error)     { return 0, nil }
func (*HidesContext) Session(int) (int, error) { return 0, nil }

func TestF50ControllersOfAnotherFormAreRefused(t *testing.T) {
	e := newEndpoint(t, rpc.Config{})
	for _, test := range []struct {
		controller any
		want       string
	}{
		{ForeignStatus{}, "method Get is func(rpc.Context, int) (int, *rpc_test.Status)"},
		{new(ForeignCart), "method Get is func(int) (int, *rpc_test.Status)"},
		{new(PushWithResult), "does not fit what the controller embeds"},
		{new(CallWithout), "does not fit what the controller embeds"},
		{new(NoMethods), "no exported method of its own"},
		{new(HidesContext), "method Session hides that of the context"},
		{new(WithContext), "method Put is func(rpc.Context, int) (int, error), it must be func(Req) (Res, error)"},
	} {
		if err := e.Register(test.controller); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%T: got %v, want %q", test.controller, err, test.want)
		}
	}
	if n := len(e.Routes()); n != 0 {
		t.Errorf("%d routes are there", n)
	}
}

// unknown registers a handler of unknown messages that answers with a name.
func unknown(t *testing.T, r rpc.Registrar, name string, pushes chan string) {
	t.Helper()
	err := errors.Join(
		rpc.HandleUnknownCall(r, func(ctx rpc.Context, body []byte) (any, error) {
			return fmt.Sprint(name, ctx.Method(), string(body), ctx.Codec()), nil
		}),
		rpc.HandleUnknownPush(r, func(ctx rpc.Context, body []byte) error {
			pushes <- fmt.Sprint(name, ctx.Method(), string(body))
			return nil
		}),
	)
	if err != nil {
		t.Fatal(err)
	}
}

// TestF52UnknownMessagesGoToTheNearestHandler: the one with the longest prefix.
func TestF52UnknownMessagesGoToTheNearestHandler(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		pushes := make(chan string, 10)
		group := b.server.Group("v1")
		unknown(t, group, "group ", pushes)
		unknown(t, b.server, "all ", pushes)
		unknown(t, group.Group("deep"), "deep ", pushes)
		if err := rpc.Handle(group, "known", answer); err != nil {
			t.Fatal(err)
		}
		s := b.dial()
		for method, want := range map[string]string{
			"/v1/a": "group ", "/v1/a/b": "group ", "/v1/deep/a": "deep ", "/v1/deep": "group ",
			"/v1": "all ", "/v10/a": "all ", "/a": "all ", "a": "all ", "/v1/deeper": "group ",
		} {
			var got string
			if err := s.Call(t.Context(), method, "x", &got); err != nil || got != want+method+`"x"106` {
				t.Errorf("%s: got %q, %v", method, got, err)
			}
			if err := s.Push(t.Context(), method, "x"); err != nil {
				t.Error(err)
			}
			if got := within(t, 10*time.Second, "the push", pushes); got != want+method+`"x"` {
				t.Errorf("%s: pushed to %q", method, got)
			}
		}
		var got string
		if err := s.Call(t.Context(), "/v1/known", nil, &got); err != nil || got != "/v1/known" {
			t.Errorf("got %q, %v", got, err)
		}
		if err := rpc.HandleUnknownCall(group, func(rpc.Context, []byte) (any, error) { return nil, nil }); err == nil {
			t.Error("two handlers take the same messages")
		}
	})
}

func TestUnknownMessagesOfAGroupAlone(t *testing.T) {
	b := onTCP(t, rpc.Config{Mapper: rpc.RPCMapper})
	pushes := make(chan string, 10)
	unknown(t, b.server.Group("v1"), "group ", pushes)
	s := b.dial()
	for method, code := range map[string]status.Code{
		"v1.a": status.OK, "v1.a.b": status.OK, "v1": status.NotFound, "v2.a": status.NotFound, "v1a": status.NotFound,
	} {
		wantCode(t, s.Call(t.Context(), method, nil, nil), code)
	}
	if err := s.Push(t.Context(), "v2.a", "x"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the push is dropped", func() bool { return b.server.Stats().DroppedPushes == 1 })
	for name, err := range map[string]error{
		"call": rpc.HandleUnknownCall(b.server, nil), "push": rpc.HandleUnknownPush(nil, func(rpc.Context, []byte) error { return nil }),
	} {
		if err == nil {
			t.Errorf("%s: nil is taken", name)
		}
	}
}

func TestHooksOfAGroupAreCalledForWhatIsUnknownThere(t *testing.T) {
	b := onTCP(t, rpc.Config{Plugins: []rpc.Plugin{trail{name: "first"}}})
	g := b.server.Group("v1", trail{name: "group"})
	err := rpc.HandleUnknownCall(g, func(rpc.Context, []byte) (any, error) { return nil, nil }, rpc.WithPlugins(trail{name: "own"}), rpc.WithLimit(1))
	if err != nil {
		t.Fatal(err)
	}
	var meta message.Meta
	if err := b.dial().Call(t.Context(), "/v1/a", nil, nil, rpc.WithReplyMeta(&meta)); err != nil || meta.Value("trail") != "first group own " {
		t.Errorf("got %q, %v", meta.Value("trail"), err)
	}
}

// TestReservedPushesNeverReachUsers, whatever they have registered.
func TestReservedPushesNeverReachUsers(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		pushes := make(chan string, 10)
		unknown(t, b.server, "all ", pushes)
		s := b.dial()
		for _, method := range []string{"/_goaway", "/_cancel", "/_new", "/_"} {
			if err := s.Push(t.Context(), method, "x"); err != nil {
				t.Error(err)
			}
		}
		if err := s.Push(t.Context(), "/other", "x"); err != nil {
			t.Error(err)
		}
		if got := within(t, 10*time.Second, "the push", pushes); got != `all /other"x"` || len(pushes) > 0 {
			t.Errorf("got %q and %d more", got, len(pushes))
		}
	})
}

func TestRoutesListsAllInOrder(t *testing.T) {
	e := newEndpoint(t, rpc.Config{})
	for _, method := range []string{"/b", "/a", "/c"} {
		mustHandle(t, e, method, func(_ rpc.Context, nums []int) (*Counter, error) { return nil, nil }, rpc.Ordered())
		mustHandlePush(t, e, method, func(rpc.Context, *string) error { return nil })
	}
	unknown(t, e, "not listed", nil)
	var got []string
	for _, r := range e.Routes() {
		got = append(got, fmt.Sprint(r.Method, " ", r.Push, " ", r.Request, " ", r.Reply, " ", r.Ordered))
	}
	var want []string
	for _, method := range []string{"/a", "/b", "/c"} {
		want = append(want, method+" false []int *rpc_test.Counter true", method+" true *string <nil> false")
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// TestARouteIsFoundAsSoonAsItIsThere, whatever was called before it on the session.
func TestARouteIsFoundAsSoonAsItIsThere(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	answer := func(text string) func(rpc.Context, string) (string, error) {
		return func(rpc.Context, string) (string, error) { return text, nil }
	}
	s := b.dial()
	want := func(method, want string) {
		t.Helper()
		for range 3 {
			var got string
			if err := s.Call(t.Context(), method, "x", &got); err != nil && want != "" || got != want {
				t.Errorf("%s: got %q, %v", method, got, err)
			}
		}
	}
	want("/v1/a", "")
	if err := rpc.HandleUnknownCall(b.server.Group("v1"), func(ctx rpc.Context, _ []byte) (any, error) { return "unknown", nil }); err != nil {
		t.Fatal(err)
	}
	want("/v1/a", "unknown")
	want("/v1", "")
	mustHandle(t, b.server, "/v1/a", answer("a"))
	want("/v1/a", "a")
	mustHandle(t, b.server, "/v1", answer("itself"))
	want("/v1", "itself")
	want("/v1/b", "unknown")
	if err := s.Push(t.Context(), "/v1/a", "x"); err != nil { // which is another route
		t.Fatal(err)
	}
	eventually(t, "the push is dropped", func() bool { return b.server.Stats().DroppedPushes == 1 })
}
