package rpc_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
	"github.com/dserver/dserver/rpc/transport"
	"github.com/dserver/dserver/rpc/transport/memory"
)

// update rewrites the transcripts: go test ./rpc -run TestHookOrder -update
var update = flag.Bool("update", false, "rewrite the transcripts of hooks")

// script notes which hooks are called. What one message meets has an order; when a
// session begins to wait for the next message, beside it, has none: that is noted apart.
type script struct {
	mu    sync.Mutex
	lines map[string][]string // by side, and side with "waits"
}

// tracer is a plugin of a side that tells the script.
func (s *script) tracer(side, name string) allHooks {
	return newAllHooks(name, func(plugin, hook string, what any) error {
		key := side
		if hook == "BeforeReadHeader" {
			key += " waits"
		}
		s.note(key, strings.TrimSpace(fmt.Sprintf("%-8s %-20s %-6s %s", side, hook, plugin, detail(what))))
		return nil
	})
}

func (s *script) note(key, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines[key] = append(s.lines[key], line)
}

// detail is what a hook can know.
func detail(what any) string {
	switch v := what.(type) {
	case rpc.Route:
		return v.Method
	case string:
		return v
	case interface { // a message on either way
		Type() message.Type
		Seq() int32
		Method() string
		Status() *status.Status
	}:
		text := fmt.Sprintf("%v %s #%d", v.Type(), v.Method(), v.Seq())
		if st := v.Status(); st != nil {
			text += fmt.Sprintf(" status %d", st.Code)
		}
		return text
	default:
		return ""
	}
}

// take gives what was noted since the last time, when nothing moves any more.
func (s *script) take() string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	var text strings.Builder
	for _, key := range []string{onClient, onServer, onClient + " waits", onServer + " waits"} {
		for _, line := range s.lines[key] {
			text.WriteString(line + "\n")
		}
	}
	s.lines = make(map[string][]string)
	return text.String()
}

// said tells how a flow ended.
func said(err error) string {
	if err == nil {
		return "OK"
	}
	return fmt.Sprintf("status %d", status.CodeOf(err))
}

// flow is something that happens, with its name and what it is in words.
type flow struct {
	name, words string
	run         func() string // how it ended
}

// hookStage has endpoints with two plugins each, and routes below a group with one that have
// one of their own.
type hookStage struct {
	*script
	t       *testing.T
	b       *bed
	network *memory.Network
	session *rpc.Session
}

func (s *hookStage) config(side string) rpc.Config {
	return rpc.Config{
		Plugins:     []rpc.Plugin{s.tracer(side, "left")},
		LastPlugins: []rpc.Plugin{s.tracer(side, "right")},
	}
}

func (s *hookStage) flows() []flow {
	call := func(method string, body any) func() string {
		return func() string { return said(s.session.Call(s.t.Context(), method, body, new(string))) }
	}
	push := func(method string) func() string {
		return func() string { return said(s.session.Push(s.t.Context(), method, "x")) }
	}
	return []flow{
		{"server_start", "a server is made, gets two routes and serves", s.startServer},
		{"client_connect", "a client is made and dials", s.connect},
		{"call_ok", "a call", call("/v1/echo", "x")},
		{"call_handler_error", "a call whose handler fails", call("/v1/echo", "fail")},
		{"call_handler_panic", "a call whose handler panics", call("/v1/echo", "panic")},
		{"call_not_found", "a call to a route that is not there", call("/v1/nowhere", "x")},
		{"call_undecodable", "a call whose body cannot be decoded", call("/v1/echo", []byte("{"))},
		{"push_ok", "a push", push("/v1/note")},
		{"push_not_found", "a push to a route that is not there", push("/v1/nowhere")},
		{"dial_fails", "dialling an address at which nobody listens", func() string {
			_, err := s.b.client.Dial(s.t.Context(), "mem://nobody")
			return said(err)
		}},
		{"close", "the server closes, its peer loses the session", func() string { return said(s.b.server.Close()) }},
	}
}

func (s *hookStage) startServer() string {
	c := s.config(onServer)
	c.Transports = []transport.Transport{s.network}
	s.b = &bed{t: s.t, server: newEndpoint(s.t, c)}
	group := s.b.server.Group("V1", s.tracer(onServer, "group").routeHooks)
	own := rpc.WithPlugins(s.tracer(onServer, "route").routeHooks)
	err := rpc.Handle(group, "/echo", func(_ rpc.Context, text string) (string, error) {
		s.note(onServer, "server   the handler")
		switch text {
		case "fail":
			return "", status.New(1001, "as asked")
		case "panic":
			panic("as asked")
		}
		return text, nil
	}, own)
	if err == nil {
		err = rpc.HandlePush(group, "/note", func(rpc.Context, string) error {
			s.note(onServer, "server   the handler")
			return nil
		}, own)
	}
	s.b.address = serve(s.t, s.b.server, "mem://server")
	return said(err)
}

func (s *hookStage) connect() string {
	c := s.config(onClient)
	c.Transports = []transport.Transport{s.network}
	s.b.client = newEndpoint(s.t, c)
	var err error
	s.session, err = s.b.client.Dial(s.t.Context(), s.b.address)
	return said(err)
}

// TestHookOrder compares which hooks are called, and in which order, with transcripts in
// testdata/hooks.
func TestHookOrder(t *testing.T) {
	known, err := filepath.Glob("testdata/hooks/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := &hookStage{script: &script{lines: make(map[string][]string)}, t: t, network: memory.New()}
		for _, f := range s.flows() {
			ended := f.run()
			got := f.words + "\n----\n" + s.take() + "----\n" + ended + "\n"
			name := filepath.Join("testdata", "hooks", f.name+".txt")
			known = slices.DeleteFunc(known, func(k string) bool { return k == name })
			if *update {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s is\n%s\nwant\n%s", name, got, want)
			}
		}
	})
	if len(known) > 0 {
		t.Errorf("nobody reads %v", known)
	}
}
