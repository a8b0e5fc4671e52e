package ignorecase_test

import (
	"testing"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/plugin/ignorecase"
	"github.com/dserver/dserver/rpc/plugin/plugintest"
	"github.com/dserver/dserver/rpc/status"
)

func TestCaseOfMethodsDoesNotMatter(t *testing.T) {
	b := plugintest.New(t, rpc.Config{Plugins: []rpc.Plugin{ignorecase.Plugin{}}})
	if err := rpc.Handle(b.Server, "/math/straße", func(ctx rpc.Context, _ any) (string, error) { return ctx.Method(), nil }); err != nil {
		t.Fatal(err)
	}
	pushed := make(chan string, 10)
	if err := rpc.HandlePush(b.Server, "/news", func(ctx rpc.Context, text string) error {
		pushed <- ctx.Method() + text
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := rpc.Handle(b.Server, "/Capital", func(rpc.Context, any) (any, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	s := b.Dial(t, rpc.Config{})
	for _, method := range []string{"/math/straße", "/Math/Straße", "/MATH/STRAßE"} {
		var got string
		if err := s.Call(t.Context(), method, nil, &got); err != nil || got != "/math/straße" {
			t.Errorf("%s: got %q, %v", method, got, err)
		}
	}
	for _, method := range []string{"/news", "/NEWS"} {
		if err := s.Push(t.Context(), method, " CASE stays"); err != nil {
			t.Error(err)
		}
		if got := <-pushed; got != "/news CASE stays" {
			t.Errorf("%s: got %q", method, got)
		}
	}
	rpctest.Code(t, s.Call(t.Context(), "/Capital", nil, nil), status.NotFound)
	rpctest.Code(t, s.Call(t.Context(), "/\xff\xfe", nil, nil), status.NotFound)
}

// TestOutwardCallsKeepTheirCase: the peer may tell them apart.
func TestOutwardCallsKeepTheirCase(t *testing.T) {
	b := plugintest.New(t, rpc.Config{})
	if err := rpc.Handle(b.Server, "/Capital", func(rpc.Context, any) (any, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	s := b.Dial(t, rpc.Config{Plugins: []rpc.Plugin{ignorecase.Plugin{}}})
	if err := s.Call(t.Context(), "/Capital", nil, nil); err != nil {
		t.Error(err)
	}
}

// TestNamesOfTheProtocolAreNotReached: a push that is one of the protocol's own in
// another case is none.
func TestNamesOfTheProtocolAreNotReached(t *testing.T) {
	b := plugintest.New(t, rpc.Config{Plugins: []rpc.Plugin{ignorecase.Plugin{}}})
	unknown := make(chan string, 10)
	if err := rpc.HandleUnknownPush(b.Server, func(ctx rpc.Context, _ []byte) error {
		unknown <- ctx.Method()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	s := b.Dial(t, rpc.Config{})
	for _, method := range []string{"/_GOAWAY", "/Known"} {
		if err := s.Push(t.Context(), method, nil, rpc.WithMeta("seq", "0")); err != nil {
			t.Error(err)
		}
	}
	if got := <-unknown; got != "/known" {
		t.Errorf("got %s", got)
	}
	select {
	case <-s.GoingAway():
		t.Error("the session goes away")
	default:
	}
}
