package proxy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/filter"
	"github.com/dserver/dserver/rpc/filter/md5"
	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/plugin/proxy"
	"github.com/dserver/dserver/rpc/status"
)

// strange is a codec that the proxy does not know: JSON behind a mark.
type strange struct{ codec.JSON }

const strangeID = 'p'

func (strange) ID() byte     { return strangeID }
func (strange) Name() string { return "strange" }
func (strange) Marshal(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	return append([]byte("\xff\x00"), b...), err
}
func (strange) Unmarshal(b []byte, v any) error {
	text, ok := bytes.CutPrefix(b, []byte("\xff\x00"))
	if !ok {
		return fmt.Errorf("%q has no mark", b)
	}
	return json.Unmarshal(text, v)
}

// chain is a client, a proxy and what lies behind it.
type chain struct {
	client, proxy, behind *rpc.Endpoint
	address, behindAt     string
	log                   *bytes.Buffer // of the proxy; to be read when all is quiet
	session               *rpc.Session  // from the client to the proxy
	labels                chan proxy.Label
}

func newChain(t *testing.T) *chain {
	t.Helper()
	c := &chain{log: new(bytes.Buffer), labels: make(chan proxy.Label, 1000)}
	both := []codec.Codec{codec.JSON{}, strange{}}
	c.behind = rpctest.Endpoint(t, rpc.Config{Codecs: both})
	c.behindAt = rpctest.OnLoopback(t, c.behind)
	var to proxy.Forwarder
	p := proxy.New(func(_ context.Context, l proxy.Label) (proxy.Forwarder, error) {
		c.labels <- l
		return to, nil
	}, proxy.Options{Logger: slog.New(slog.NewTextHandler(c.log, nil))})
	c.proxy = rpctest.Endpoint(t, rpc.Config{Plugins: []rpc.Plugin{p}, Filters: []filter.Filter{md5.Filter{}}})
	to = c.proxy.Client(c.behindAt, rpc.WithRedial(rpc.Redial{Attempts: 1}))
	c.address = rpctest.OnLoopback(t, c.proxy)
	c.client = rpctest.Endpoint(t, rpc.Config{Codecs: both, Filters: []filter.Filter{md5.Filter{}}})
	c.session = rpctest.Dial(t, c.client, c.address)
	return c
}

// seen is what arrived behind the proxy.
type seen struct {
	Body  string
	Codec byte
	Meta  map[string]string
}

// mirror answers with what it got, and a name in the metadata.
func mirror(t *testing.T, e *rpc.Endpoint) {
	rpctest.Handle(t, e, "/mirror", func(ctx rpc.Context, text string) (seen, error) {
		s := seen{Body: text, Codec: ctx.Codec(), Meta: make(map[string]string)}
		for key, value := range ctx.Metadata().All() {
			s.Meta[key] = value
		}
		ctx.SetMeta("served-by", "behind")
		return s, nil
	})
}

func TestF53BodiesPassInTheirCodec(t *testing.T) {
	c := newChain(t)
	mirror(t, c.behind)
	for _, test := range []struct {
		name           string
		opts           []rpc.CallOption
		request, reply byte
	}{
		{"default", nil, codec.IDJSON, codec.IDJSON},
		{"one that the proxy does not know", []rpc.CallOption{rpc.WithCodec(strangeID)}, strangeID, strangeID},
		{"another one for the reply", []rpc.CallOption{rpc.WithMeta("X-Accept-Body-Codec", "112")}, codec.IDJSON, strangeID},
		{"with a filter", []rpc.CallOption{rpc.WithCodec(strangeID), rpc.WithFilters(filter.IDMD5)}, strangeID, strangeID},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got seen
			var replied byte
			err := c.session.Call(t.Context(), "/mirror", "a \"text\"\x00é", &got, append(test.opts, rpc.WithReplyCodec(&replied))...)
			if err != nil || got.Body != "a \"text\"\x00é" || got.Codec != test.request || replied != test.reply {
				t.Errorf("got %+v in codec %q, %v", got, replied, err)
			}
		})
	}
}

func TestBytesAndEmptyBodiesPassAsTheyAre(t *testing.T) {
	c := newChain(t)
	rpctest.Handle(t, c.behind, "/bytes", func(_ rpc.Context, b []byte) ([]byte, error) { return b, nil })
	big := bytes.Repeat([]byte("\x00\xff{"), 300_000)
	for _, body := range [][]byte{nil, []byte("\x00\xfe\xff"), big} {
		var got []byte
		if err := c.session.Call(t.Context(), "/bytes", body, &got, rpc.WithCodec('?')); err != nil || !bytes.Equal(got, body) {
			t.Errorf("sent %d bytes, got %d, %v", len(body), len(got), err)
		}
	}
}

func TestMetadataPassesBothWays(t *testing.T) {
	c := newChain(t)
	mirror(t, c.behind)
	rpctest.Handle(t, c.behind, "/fail", func(ctx rpc.Context, _ any) (any, error) {
		ctx.SetMeta("served-by", "behind")
		return nil, status.New(1001, "")
	})
	var got seen
	var reply message.Meta
	if err := c.session.Call(t.Context(), "/mirror", "x", &got, rpc.WithMeta("a", "1"), rpc.WithMeta("b", "<é>"), rpc.WithReplyMeta(&reply)); err != nil {
		t.Fatal(err)
	}
	here := c.session.LocalAddr().String()
	if got.Meta["a"] != "1" || got.Meta["b"] != "<é>" || got.Meta["X-Real-IP"] != here || len(got.Meta) != 3 {
		t.Errorf("the request has %v", got.Meta)
	}
	if reply.Value("served-by") != "behind" || reply.Len() != 1 {
		t.Errorf("the reply has %v", reply)
	}
	l := <-c.labels
	if l.Method != "/mirror" || l.Push || l.RealIP != here || l.Session.RemoteAddr().String() != here || l.Metadata.Value("a") != "1" {
		t.Errorf("the label is %+v", l)
	}
	if err := c.session.Call(t.Context(), "/mirror", "x", &got, rpc.WithMeta("X-Real-IP", "1.2.3.4")); err != nil || got.Meta["X-Real-IP"] != "1.2.3.4" {
		t.Errorf("X-Real-IP of another proxy: %v, %v", got.Meta, err)
	}
	if l := <-c.labels; l.RealIP != "1.2.3.4" {
		t.Errorf("the label is %+v", l)
	}
	rpctest.Code(t, c.session.Call(t.Context(), "/fail", nil, nil, rpc.WithReplyMeta(&reply)), 1001)
	if reply.Value("served-by") != "behind" {
		t.Errorf("the reply with an error has %v", reply)
	}
}

func TestStatusesPassAsTheyAreButThoseOfConnections(t *testing.T) {
	c := newChain(t)
	details, err := status.New(1001, "none \"left\"").WithRetry().WithDetails([]int{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	closed, err := status.New(status.ConnectionClosed, "their own").WithDetails("d")
	if err != nil {
		t.Fatal(err)
	}
	gateway := *closed
	gateway.Code, gateway.Msg = status.BadGateway, status.BadGateway.String()
	tests := map[string]struct{ from, want *status.Status }{
		"application": {details, details},
		"own text":    {&status.Status{Code: 42, Msg: "m", Cause: "c"}, &status.Status{Code: 42, Msg: "m", Cause: "c"}},
		"unknown":     {status.New(status.Unknown, "x"), status.New(status.Unknown, "x")},
		"busy":        {status.New(status.Overloaded, "x").WithRetry(), status.New(status.Overloaded, "x").WithRetry()},
		"connection":  {closed, &gateway},
	}
	// An endpoint of ours never answers 100 to 199; others do: see the plugin.
	rpctest.Handle(t, c.behind, "/fail", func(rpc.Context, string) (any, error) { return nil, status.New(status.Unknown, "") },
		rpc.WithPlugins(answer{func(name string) *status.Status { return tests[name].from }}))
	for name, test := range tests {
		err := c.session.Call(t.Context(), "/fail", name, nil)
		got := rpctest.Code(t, err, test.want.Code)
		if got.Msg != test.want.Msg || got.Cause != test.want.Cause || got.Retry != test.want.Retry || string(got.Details) != string(test.want.Details) {
			t.Errorf("%s: got %+v, want %+v", name, got, test.want)
		}
	}
	rpctest.Code(t, c.session.Call(t.Context(), "/nowhere", nil, nil), status.NotFound)
	rpctest.Code(t, c.session.Call(t.Context(), "/fail", 7, nil), status.BadMessage)
}

// answer is a plugin that changes the status of a reply, as the handler of another
// implementation may.
type answer struct {
	status func(name string) *status.Status
}

func (answer) Name() string { return "answer" }
func (a answer) AfterReadCallBody(c rpc.ReadCtx) error {
	c.Attributes().Store(answer{}.Name(), a.status(*c.Body().(*string)))
	return nil
}
func (a answer) BeforeWriteReply(c rpc.WriteCtx) error {
	if v, ok := c.Attributes().Load(answer{}.Name()); ok {
		*c.Status() = *v.(*status.Status)
	}
	return nil
}

func TestServiceThatCannotBeReachedIs502(t *testing.T) {
	c := newChain(t)
	mirror(t, c.behind)
	entered, open := make(chan struct{}), make(chan struct{})
	rpctest.Handle(t, c.behind, "/gate", func(ctx rpc.Context, _ any) (any, error) {
		close(entered)
		<-open
		return nil, nil
	})
	running := c.session.Go(t.Context(), "/gate", nil, nil)
	rpctest.Receive(t, "the handler runs", entered)
	for _, s := range c.behind.Sessions() {
		go func() { s.Shutdown(rpctest.Timeout(t, time.Millisecond)) }()
	}
	// It may have been executed.
	if st := rpctest.Code(t, running.Wait(), status.BadGateway); st.Retry {
		t.Errorf("got %+v", st)
	}
	close(open)
	if err := c.session.Call(t.Context(), "/mirror", "x", nil); err != nil {
		t.Errorf("on a new connection: %v", err)
	}
	c.behind.Close()
	// Before the proxy knows, a call could still be lost on the way.
	rpctest.Eventually(t, "the proxy knows", func() bool {
		return !slices.ContainsFunc(c.proxy.Sessions(), (*rpc.Session).Dialed)
	})
	err := c.session.Call(t.Context(), "/mirror", "x", nil)
	if st := rpctest.Code(t, err, status.BadGateway); !st.Retry || st.Cause != "the service behind cannot be reached" {
		t.Errorf("got %+v", st)
	}
	c.proxy.Close()
	if !strings.Contains(c.log.String(), strings.TrimPrefix(c.behindAt, "tcp://")) {
		t.Errorf("log: %s", c.log)
	}
}

func TestDeadlinesAndCancellationsPass(t *testing.T) {
	c := newChain(t)
	mirror(t, c.behind)
	ends := make(chan error, 2)
	entered := make(chan time.Duration, 2)
	rpctest.Handle(t, c.behind, "/wait", func(ctx rpc.Context, _ any) (any, error) {
		deadline, _ := ctx.Deadline()
		entered <- time.Until(deadline)
		<-ctx.Done()
		ends <- ctx.Err()
		return nil, ctx.Err()
	})
	// One reply shows each that the other one understands a cancel.
	if err := c.session.Call(t.Context(), "/mirror", "x", nil); err != nil {
		t.Fatal(err)
	}
	err := c.session.Call(rpctest.Timeout(t, time.Second), "/wait", nil, nil)
	rpctest.Code(t, err, status.HandleTimeout)
	if left := rpctest.Receive(t, "the handler runs", entered); left > time.Second {
		t.Errorf("the handler has %v", left)
	}
	if err := rpctest.Receive(t, "the handler ends", ends); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the handler ended with %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	call := c.session.Go(ctx, "/wait", nil, nil)
	rpctest.Receive(t, "the handler runs", entered)
	cancel()
	rpctest.Code(t, call.Wait(), status.Cancelled)
	if err := rpctest.Receive(t, "the handler ends", ends); !errors.Is(err, context.Canceled) {
		t.Errorf("the handler ended with %v", err)
	}
	if err := c.session.Call(t.Context(), "/mirror", "x", nil); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestPushesPass(t *testing.T) {
	c := newChain(t)
	got := make(chan seen, 1)
	rpctest.HandlePush(t, c.behind, "/note", func(ctx rpc.Context, text string) error {
		got <- seen{text, ctx.Codec(), map[string]string{"a": ctx.Meta("a"), "ip": ctx.Meta("X-Real-IP")}}
		return nil
	})
	if err := c.session.Push(t.Context(), "/note", "x", rpc.WithCodec(strangeID), rpc.WithMeta("a", "1")); err != nil {
		t.Fatal(err)
	}
	s := rpctest.Receive(t, "the push", got)
	if s.Body != "x" || s.Codec != strangeID || s.Meta["a"] != "1" || s.Meta["ip"] != c.session.LocalAddr().String() {
		t.Errorf("got %+v", s)
	}
	if l := <-c.labels; !l.Push || l.Method != "/note" {
		t.Errorf("the label is %+v", l)
	}
}

// TestWhatIsAboutOneConnectionStaysThere.
func TestWhatIsAboutOneConnectionStaysThere(t *testing.T) {
	c := newChain(t)
	var reached atomic.Int64
	err := errors.Join(
		rpc.HandleUnknownCall(c.behind, func(rpc.Context, []byte) (any, error) { reached.Add(1); return nil, nil }),
		rpc.HandleUnknownPush(c.behind, func(rpc.Context, []byte) error { reached.Add(1); return nil }),
	)
	if err != nil {
		t.Fatal(err)
	}
	rpctest.Code(t, c.session.Call(t.Context(), "/_goaway", nil, nil), status.NotFound)
	if err := c.session.Push(t.Context(), "/_new", nil, rpc.WithMeta("seq", "1")); err != nil {
		t.Error(err)
	}
	if err := c.session.Call(t.Context(), "/known", nil, nil); err != nil || reached.Load() != 1 {
		t.Errorf("%d were forwarded, %v", reached.Load(), err)
	}
}

func TestRoutesOfTheProxyItselfAreNotForwarded(t *testing.T) {
	c := newChain(t)
	mirror(t, c.behind)
	rpctest.Handle(t, c.proxy, "/own", func(rpc.Context, any) (string, error) { return "own", nil })
	var got string
	if err := c.session.Call(t.Context(), "/own", nil, &got); err != nil || got != "own" || len(c.labels) > 0 {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestChoose(t *testing.T) {
	var to proxy.Forwarder
	var fail error
	p := proxy.New(func(context.Context, proxy.Label) (proxy.Forwarder, error) { return to, fail }, proxy.Options{})
	e := rpctest.Endpoint(t, rpc.Config{})
	if err := errors.Join(p.Register(e.Group("v1")), p.Register(e.Group("v1/deep"))); err != nil {
		t.Fatal(err)
	}
	if err := p.Register(e.Group("v1")); err == nil {
		t.Error("registered twice")
	}
	s := rpctest.Dial(t, rpctest.Endpoint(t, rpc.Config{}), rpctest.OnLoopback(t, e))
	rpctest.Code(t, s.Call(t.Context(), "/v1/a", nil, nil), status.NotFound)
	fail = status.New(status.Unauthorized, "who are you?")
	rpctest.Code(t, s.Call(t.Context(), "/v1/deep/a", nil, nil), status.Unauthorized)
	rpctest.Code(t, s.Call(t.Context(), "/v2/a", nil, nil), status.NotFound)
	if _, err := rpc.New(rpc.Config{Plugins: []rpc.Plugin{proxy.New(nil, proxy.Options{})}}); err == nil {
		t.Error("a proxy without a function is taken")
	}
	if _, err := rpc.New(rpc.Config{Plugins: []rpc.Plugin{p, p}}); err == nil {
		t.Error("two proxies take the same messages")
	}
}

// TestServiceBehindCallsTheClient: the proxy forwards to sessions that it accepted, too.
func TestServiceBehindCallsTheClient(t *testing.T) {
	var front atomic.Pointer[rpc.Session]
	p := proxy.New(func(_ context.Context, l proxy.Label) (proxy.Forwarder, error) { return front.Load(), nil }, proxy.Options{})
	e := rpctest.Endpoint(t, rpc.Config{Plugins: []rpc.Plugin{p}})
	address := rpctest.OnLoopback(t, e)
	user, behind := rpctest.Endpoint(t, rpc.Config{}), rpctest.Endpoint(t, rpc.Config{})
	rpctest.Handle(t, user, "/ask", func(_ rpc.Context, n int) (int, error) { return n + 1, nil })
	rpctest.Dial(t, user, address)
	rpctest.Eventually(t, "the user is there", func() bool { return len(e.Sessions()) == 1 })
	front.Store(e.Sessions()[0])
	s := rpctest.Dial(t, behind, address)
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			var n int
			if err := s.Call(t.Context(), "/ask", i, &n); err != nil || n != i+1 {
				t.Errorf("got %d, %v", n, err)
			}
		})
	}
	all.Wait()
}
