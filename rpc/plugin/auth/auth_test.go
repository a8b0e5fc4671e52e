package auth_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/plugin/auth"
	"github.com/dserver/dserver/rpc/plugin/plugintest"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/http"
	"github.com/dserver/dserver/rpc/proto/json"
	"github.com/dserver/dserver/rpc/proto/pb"
	"github.com/dserver/dserver/rpc/proto/raw"
	"github.com/dserver/dserver/rpc/status"
)

// checks is a server that knows one token and names its sessions.
func checks(more ...rpc.Plugin) rpc.Config {
	checker := auth.NewChecker(func(_ context.Context, s rpc.EarlySession, token string) (any, error) {
		if token != "token-1" {
			return nil, &status.Status{Code: 403, Msg: "auth fail", Cause: "auth fail detail"}
		}
		s.Attributes().Store("token", token)
		s.SetID("user-1")
		return "pass", nil
	})
	return rpc.Config{Plugins: append([]rpc.Plugin{checker}, more...)}
}

// shows is a client with a token.
func shows(token string, opts ...auth.BearerOption) rpc.Config {
	return rpc.Config{Plugins: []rpc.Plugin{auth.NewBearer(func(context.Context, rpc.EarlySession) (any, error) {
		return token, nil
	}, opts...)}}
}

// handleWho registers /who, which answers with what the check said of the caller.
func handleWho(t *testing.T, e *rpc.Endpoint) {
	t.Helper()
	err := rpc.Handle(e, "/who", func(ctx rpc.Context, _ any) (string, error) {
		token, _ := ctx.Session().Attributes().Load("token")
		return fmt.Sprint(ctx.Session().ID(), " with ", token), nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func wantWho(t *testing.T, s interface {
	Call(ctx context.Context, method string, req, res any, opts ...rpc.CallOption) error
}, want string) {
	t.Helper()
	var who string
	if err := s.Call(t.Context(), "/who", nil, &who); err != nil || who != want {
		t.Errorf("it is %q, %v, want %q", who, err, want)
	}
}

func TestPeerIsLetIn(t *testing.T) {
	for name, p := range map[string]proto.Factory{
		"raw": raw.New, "classic": raw.Options{Classic: true}.New, "pb": pb.New, "json": json.New, "http": http.New,
	} {
		t.Run(name, func(t *testing.T) {
			server, client := checks(), shows("token-1", auth.OnPass(func(s rpc.EarlySession, pass string) error {
				s.Attributes().Store("pass", pass)
				return nil
			}))
			server.Proto, client.Proto = p, p
			b := plugintest.New(t, server)
			handleWho(t, b.Server)
			s := b.Dial(t, client)
			wantWho(t, s, "user-1 with token-1")
			if pass, _ := s.Attributes().Load("pass"); pass != "pass" {
				t.Errorf("the pass is %v", pass)
			}
			if _, ok := b.Server.Session("user-1"); !ok {
				t.Error("the session is not found by its id")
			}
		})
	}
}

type info struct{ User, Password string }

// sent makes a client that shows a value of any type.
func sent(v any) rpc.Config {
	return rpc.Config{Plugins: []rpc.Plugin{auth.NewBearer(func(context.Context, rpc.EarlySession) (any, error) { return v, nil })}}
}

// heard tells what a checker of a type makes of it.
func heard[Info any](t *testing.T, v any) (got Info) {
	t.Helper()
	b := plugintest.New(t, rpc.Config{Plugins: []rpc.Plugin{auth.NewChecker(func(_ context.Context, _ rpc.EarlySession, i Info) (any, error) {
		got = i
		return nil, nil
	})}})
	b.Dial(t, sent(v))
	return got
}

func TestInfoIsOfAnyType(t *testing.T) {
	want := info{"me", "secret"}
	if got := heard[info](t, want); got != want {
		t.Errorf("got %+v", got)
	}
	if got := heard[*info](t, want); *got != want {
		t.Errorf("got %+v", got)
	}
	if got := heard[*info](t, nil); *got != (info{}) {
		t.Errorf("got %+v", got)
	}
	if got := heard[[]byte](t, []byte("\x00bytes")); string(got) != "\x00bytes" {
		t.Errorf("got %q", got)
	}
}

func TestDeniedDialHasThePeersCause(t *testing.T) {
	b := plugintest.New(t, checks())
	_, err := b.Endpoint(t, shows("wrong")).Dial(t.Context(), plugintest.Address)
	if st := rpctest.Code(t, err, status.DialFailed); st.Cause != "auth fail detail" {
		t.Errorf("got %v", err)
	}
	if st, _ := status.From(errors.Unwrap(err)); st == nil || st.Code != 403 || st.Msg != "auth fail" {
		t.Errorf("behind it is %v", st)
	}
	b.Server.Close() // what it logs is there then
	if n := b.Server.Stats().Handled; n != 0 {
		t.Errorf("%d messages were handled", n)
	}
	if !strings.Contains(b.Log.String(), "403 auth fail: auth fail detail") {
		t.Errorf("the log: %s", b.Log)
	}
}

// TestF116: what a check did not mean for its peer stays here.
func TestF116TextsOfErrorsStayHere(t *testing.T) {
	const secret = "table users does not exist"
	for name, c := range map[string]struct {
		check func() (any, error)
		code  status.Code
	}{
		"error":     {func() (any, error) { return nil, errors.New(secret) }, status.InternalServerError},
		"panic":     {func() (any, error) { panic(secret) }, status.InternalServerError},
		"own call":  {func() (any, error) { return nil, status.New(status.ConnectionClosed, secret) }, status.BadGateway},
		"no answer": {func() (any, error) { return func() { _ = secret }, nil }, status.InternalServerError},
	} {
		t.Run(name, func(t *testing.T) {
			b := plugintest.New(t, rpc.Config{Plugins: []rpc.Plugin{
				auth.NewChecker(func(context.Context, rpc.EarlySession, string) (any, error) { return c.check() }),
			}})
			_, err := b.Endpoint(t, shows("")).Dial(t.Context(), plugintest.Address)
			st := rpctest.Code(t, err, status.DialFailed)
			if !regexp.MustCompile(`^incident [0-9a-f]+$`).MatchString(st.Cause) {
				t.Errorf("the cause is %q", st.Cause)
			}
			if inner, _ := status.From(errors.Unwrap(err)); inner == nil || inner.Code != c.code {
				t.Errorf("behind it is %v", inner)
			}
			b.Server.Close()
			log := b.Log.String()
			if !strings.Contains(log, st.Cause) || name != "no answer" && !strings.Contains(log, secret) {
				t.Errorf("the log: %s", log)
			}
			if name == "panic" && !strings.Contains(log, "auth_test.go:") {
				t.Errorf("the log does not tell where: %s", log)
			}
		})
	}
}

// TestWrappedStatusReachesThePeer: and nothing of what is around it.
func TestWrappedStatusReachesThePeer(t *testing.T) {
	b := plugintest.New(t, rpc.Config{Plugins: []rpc.Plugin{
		auth.NewChecker(func(context.Context, rpc.EarlySession, string) (any, error) {
			return nil, fmt.Errorf("row 17: %w", status.New(1001, "expired"))
		}),
	}})
	_, err := b.Endpoint(t, shows("")).Dial(t.Context(), plugintest.Address)
	if st := rpctest.Code(t, err, status.DialFailed); st.Cause != "expired" {
		t.Errorf("got %v", err)
	}
}

func TestFailuresOfTheBearerAreThoseOfDial(t *testing.T) {
	broken := errors.New("no token")
	b := plugintest.New(t, checks())
	handleWho(t, b.Server)
	for name, bearer := range map[string]*auth.Bearer{
		"error":    auth.NewBearer(func(context.Context, rpc.EarlySession) (any, error) { return nil, broken }),
		"panic":    auth.NewBearer(func(context.Context, rpc.EarlySession) (any, error) { panic(broken) }),
		"no form":  auth.NewBearer(func(context.Context, rpc.EarlySession) (any, error) { return func() {}, nil }),
		"passes":   bearer(auth.OnPass(func(rpc.EarlySession, string) error { return broken })),
		"panics":   bearer(auth.OnPass(func(rpc.EarlySession, string) error { panic(broken) })),
		"mistakes": bearer(auth.OnPass(func(rpc.EarlySession, int) error { return nil })),
	} {
		_, err := b.Endpoint(t, rpc.Config{Plugins: []rpc.Plugin{bearer}}).Dial(t.Context(), plugintest.Address)
		rpctest.Code(t, err, status.DialFailed)
		var panicked *rpc.HookError
		if errors.As(err, &panicked) != strings.HasPrefix(name, "panic") {
			t.Errorf("%s: got %v", name, err)
		}
		if is := errors.Is(err, broken); is != (name == "error" || name == "passes" || name == "panic" || name == "panics") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	wantWho(t, b.Dial(t, shows("token-1")), "user-1 with token-1")
}

func bearer(opts ...auth.BearerOption) *auth.Bearer {
	return auth.NewBearer(func(context.Context, rpc.EarlySession) (any, error) { return "token-1", nil }, opts...)
}

// TestF49: who has no bearer is told at its first call.
func TestF49FirstCallWithoutABearerIs401(t *testing.T) {
	b := plugintest.New(t, checks())
	client := b.Endpoint(t, rpc.Config{})
	s, err := client.Dial(t.Context(), plugintest.Address)
	if err != nil {
		t.Fatal(err)
	}
	const cause = "auth message(1st) expect: AUTH_CALL, but received: CALL"
	for _, call := range []func() error{
		func() error { return s.Call(t.Context(), "/who", nil, nil) },
		func() error { return client.Client(plugintest.Address).Call(t.Context(), "/who", nil, nil) },
	} {
		if st := rpctest.Code(t, call(), status.Unauthorized); st.Cause != cause {
			t.Errorf("got %v", st)
		}
	}
	<-s.Done()
	if st, _ := status.From(s.Err()); st == nil || st.Code != status.Unauthorized {
		t.Errorf("the session ended with %v", s.Err())
	}
}

// TestF46: a client that dials again is asked again, and keeps what it is.
func TestF46RedialAuthenticatesAgain(t *testing.T) {
	var asked atomic.Int64
	counter := auth.NewChecker(func(_ context.Context, s rpc.EarlySession, token string) (any, error) {
		asked.Add(1)
		s.SetID("user-1")
		s.Attributes().Store("token", token)
		return nil, nil
	})
	b := plugintest.New(t, rpc.Config{Plugins: []rpc.Plugin{counter}})
	handleWho(t, b.Server)
	err := rpc.Handle(b.Server, "/kick", func(ctx rpc.Context, _ any) (any, error) { return nil, ctx.Session().Close() })
	if err != nil {
		t.Fatal(err)
	}
	e := b.Endpoint(t, shows("token-1"))
	c := e.Client(plugintest.Address)
	for round := range 3 {
		wantWho(t, c, "user-1 with token-1")
		s := e.Sessions()[0]
		if round == 0 {
			s.SetID("me")
			s.Attributes().Store("mine", 1)
		}
		if mine, _ := s.Attributes().Load("mine"); s.ID() != "me" || mine != 1 {
			t.Errorf("round %d: it is %s with %v", round, s.ID(), mine)
		}
		if err := c.Call(t.Context(), "/kick", nil, nil); err != nil {
			t.Error(err)
		}
		<-s.Done()
	}
	if n := asked.Load(); n != 3 {
		t.Errorf("it was asked %d times", n)
	}
}

func TestEndpointThatCannotAskIsRefused(t *testing.T) {
	for _, p := range []rpc.Plugin{auth.NewBearer(nil), auth.NewChecker[string](nil)} {
		if _, err := rpc.New(rpc.Config{Plugins: []rpc.Plugin{p}}); err == nil {
			t.Errorf("%s without a function is accepted", p.Name())
		}
	}
}

// TestBothSidesOfOneEndpoint: it checks who comes and shows itself where it goes.
func TestBothSidesOfOneEndpoint(t *testing.T) {
	both := checks(shows("token-1").Plugins...)
	b := plugintest.New(t, both)
	handleWho(t, b.Server)
	s, err := b.Server.Dial(t.Context(), plugintest.Address)
	if err != nil {
		t.Fatal(err)
	}
	wantWho(t, s, "user-1 with token-1")
}
