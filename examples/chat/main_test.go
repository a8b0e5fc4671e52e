package main

import (
	"slices"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/status"
	"github.com/dserver/dserver/sandbox/rpcservice"
	"github.com/dserver/dserver/sandbox/sandboxtest"
)

// guest is somebody in the room.
type guest struct {
	*rpc.Client
	hears chan Line
}

func come(t *testing.T, address, name string) *guest {
	t.Helper()
	g := &guest{hears: make(chan Line, 100)}
	e, err := newGuest(name, func(l Line) { g.hears <- l })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	g.Client = enter(e, address, make(chan string, 100))
	return g
}

func (g *guest) wantLine(t *testing.T, want Line) {
	t.Helper()
	select {
	case got := <-g.hears:
		if got != want {
			t.Errorf("heard %v, want %v", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("did not hear %v", want)
	}
}

func TestChat(t *testing.T) {
	service := sandboxtest.Run(t, rpcservice.New("room", room, rpcservice.WithConfig(config())), sandboxtest.Options{})
	address := "tcp://" + service.Addr()
	anna, ben := come(t, address, "anna"), come(t, address, "ben")

	var names []string
	for _, g := range []*guest{anna, ben} {
		if err := g.Call(t.Context(), "/who", nil, &names); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"anna", "ben"}) {
		t.Errorf("there are %v", names)
	}

	var heard int
	if err := anna.Call(t.Context(), "/say", "hello", &heard); err != nil || heard != 2 {
		t.Errorf("%d heard it, %v", heard, err)
	}
	anna.wantLine(t, Line{"anna", "hello"})
	ben.wantLine(t, Line{"anna", "hello"})

	if err := ben.Call(t.Context(), "/tell", Whisper{"anna", "psst"}, nil); err != nil {
		t.Error(err)
	}
	anna.wantLine(t, Line{"ben", "psst"})
	if err := ben.Call(t.Context(), "/tell", Whisper{"carl", "psst"}, nil); status.CodeOf(err) != status.NotFound {
		t.Errorf("got %v", err)
	}

	err := come(t, address, " ").Call(t.Context(), "/who", nil, nil)
	if st, _ := status.From(err); st == nil || st.Code != status.DialFailed || st.Cause != "say your name" {
		t.Errorf("got %v", err)
	}
}
