package rpc_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc"
)

type Math struct{ calls *int }

func (m *Math) Add(_ rpc.Context, nums []int) (int, error) {
	*m.calls++
	sum := 0
	for _, n := range nums {
		sum += n
	}
	return sum, nil
}

func (m *Math) Sub_Of(_ rpc.Context, pair *[2]int) (int, error) { return pair[0] - pair[1], nil }
func (m *Math) Note(rpc.Context, string) error                  { *m.calls++; return nil }
func (m *Math) Helper() int                                     { return 1 }
func (m *Math) String() string                                  { return "math" }

type NoError struct{}

func (NoError) Bad(rpc.Context, int) int { return 0 }

type notError struct{}

func (notError) Error() string { return "" }

type WrongError struct{}

func (WrongError) Bad(rpc.Context, int) (int, notError) { return 0, notError{} }

type TooMany struct{}

func (TooMany) Bad(rpc.Context, int, int) error { return nil }

type Variadic struct{}

func (Variadic) Bad(rpc.Context, ...int) error { return nil }

func TestRegisterMakesRoutesOfMethods(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		calls := 0
		if err := b.server.Register(&Math{&calls}); err != nil {
			t.Fatal(err)
		}
		if err := b.server.Group("v1").Register(&Math{&calls}, rpc.Ordered()); err != nil {
			t.Fatal(err)
		}
		var routes []string
		for _, r := range b.server.Routes() {
			routes = append(routes, fmt.Sprint(r.Method, " ", r.Push, " ", r.Request, " ", r.Reply))
		}
		want := []string{
			"/math/add false []int int", "/math/note true string <nil>", "/math/sub/of false *[2]int int",
			"/v1/math/add false []int int", "/v1/math/note true string <nil>", "/v1/math/sub/of false *[2]int int",
		}
		if strings.Join(routes, ",") != strings.Join(want, ",") {
			t.Errorf("got %q", routes)
		}
		s := b.dial()
		var n int
		if err := s.Call(t.Context(), "/v1/math/add", []int{1, 2, 3}, &n); err != nil || n != 6 || calls != 1 {
			t.Errorf("got %d, %v", n, err)
		}
		if err := s.Call(t.Context(), "/math/sub/of", []int{5, 3}, &n); err != nil || n != 2 {
			t.Errorf("got %d, %v", n, err)
		}
		if err := s.Call(t.Context(), "/math/sub/of", nil, &n); err != nil || n != 0 {
			t.Errorf("without a body: got %d, %v", n, err)
		}
	})
}

func TestF12F50RegistrationRefuses(t *testing.T) {
	e := newEndpoint(t, rpc.Config{})
	f := func(rpc.Context, int) (int, error) { return 0, nil }
	push := func(rpc.Context, int) error { return nil }
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"first", rpc.Handle(e, "/a", f), ""},
		{"twice", rpc.Handle(e, "/a", f), "the route is taken"},
		{"push of the same name", rpc.HandlePush(e, "/a", push), ""},
		{"push twice", rpc.HandlePush(e, "/a", push), "the route is taken"},
		{"empty", rpc.Handle(e, "", f), "the name is empty"},
		{"reserved", rpc.HandlePush(e, "/_goaway", push), "reserved"},
		{"long", rpc.Handle(e, strings.Repeat("x", 256), f), "the most is 255"},
		{"nil handler", rpc.Handle[int, int](e, "/b", nil), "nil"},
		{"nil push handler", rpc.HandlePush[int](e, "/b", nil), "nil"},
		{"nil endpoint", rpc.Handle(nil, "/b", f), "nil"},
		{"nil controller", e.Register(nil), "it is nil"},
		{"nil pointer", e.Register((*Math)(nil)), "nil pointer"},
		{"pointer methods", e.Register(Math{}), "are its methods on the pointer?"},
		{"no name", e.Register(&struct{}{}), "no name"},
		{"no error", e.Register(NoError{}), "method Bad is func(rpc.Context, int) int"},
		{"wrong error", e.Register(WrongError{}), "method Bad is"},
		{"too many", e.Register(TooMany{}), "method Bad is"},
		{"variadic", e.Register(Variadic{}), "method Bad is"},
	}
	for _, test := range tests {
		if test.want == "" && test.err != nil || test.want != "" && (test.err == nil || !strings.Contains(test.err.Error(), test.want)) {
			t.Errorf("%s: got %v, want %q", test.name, test.err, test.want)
		}
	}
	// A controller that cannot be registered in full leaves nothing behind.
	if n := len(e.Routes()); n != 2 {
		t.Errorf("%d routes", n)
	}
}
