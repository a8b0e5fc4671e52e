package rpc_test

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/status"
	"github.com/dserver/dserver/rpc/transport"
	"github.com/dserver/dserver/rpc/transport/memory"
)

// The ends that have the plugin whose hook fails.
const (
	onServer = "server"
	onClient = "client"
)

// hookCase says what becomes of a hook that fails.
type hookCase struct {
	hook   string
	side   string
	step   string      // that fails with it; none if it is empty: then the log has it
	code   status.Code // with which the step fails if the hook's error has none; 0 is no status
	peer   bool        // the step is the peer's, who must not see the error
	coded  bool        // a status of the hook is that of the step
	closes bool        // the session ends with it
}

// hookCases has all 27.
func hookCases() []hookCase {
	return []hookCase{
		{hook: "BeforeNewEndpoint", side: onServer, step: "new"},
		{hook: "AfterNewEndpoint", side: onServer, step: "new"},
		{hook: "BeforeCloseEndpoint", side: onServer, step: "close"},
		{hook: "AfterCloseEndpoint", side: onServer, step: "close"},
		{hook: "AfterRegister", side: onServer, step: "register"},
		{hook: "AfterListen", side: onServer, step: "serve"},

		{hook: "BeforeDial", side: onClient, step: "dial", code: status.DialFailed, coded: true},
		{hook: "AfterDial", side: onClient, step: "dial", code: status.DialFailed},
		{hook: "AfterDialFail", side: onClient},
		{hook: "AfterAccept", side: onServer, step: "call", code: status.ConnectionClosed, peer: true, closes: true},
		{hook: "AfterDisconnect", side: onServer},

		{hook: "BeforeWriteCall", side: onClient, step: "call", code: status.WriteFailed, coded: true},
		{hook: "AfterWriteCall", side: onClient},
		{hook: "BeforeWriteReply", side: onServer, step: "call", code: status.InternalServerError, peer: true, coded: true},
		{hook: "AfterWriteReply", side: onServer},
		{hook: "BeforeWritePush", side: onClient, step: "push", code: status.WriteFailed, coded: true},
		{hook: "AfterWritePush", side: onClient},

		{hook: "BeforeReadHeader", side: onServer, step: "call", code: status.ConnectionClosed, peer: true, closes: true},
		{hook: "AfterReadCallHeader", side: onServer, step: "call", code: status.InternalServerError, peer: true, coded: true},
		{hook: "BeforeReadCallBody", side: onServer, step: "call", code: status.InternalServerError, peer: true, coded: true},
		{hook: "AfterReadCallBody", side: onServer, step: "call", code: status.InternalServerError, peer: true, coded: true},
		{hook: "AfterReadPushHeader", side: onServer, step: "pushed", peer: true},
		{hook: "BeforeReadPushBody", side: onServer, step: "pushed", peer: true},
		{hook: "AfterReadPushBody", side: onServer, step: "pushed", peer: true},
		{hook: "AfterReadReplyHeader", side: onClient, step: "call", code: status.BadMessage, coded: true},
		{hook: "BeforeReadReplyBody", side: onClient, step: "call", code: status.BadMessage, coded: true},
		{hook: "AfterReadReplyBody", side: onClient, step: "call", code: status.BadMessage, coded: true},
	}
}

var errHook = errors.New("as asked")

// failures are the ways in which a hook can fail.
func failures() map[string]func() error {
	return map[string]func() error{
		"panic":  func() error { panic(errHook.Error()) },
		"error":  func() error { return fmt.Errorf("deep inside: %w", errHook) },
		"status": func() error { return status.New(1234, errHook.Error()) },
	}
}

// failsOnce is a plugin with all hooks, one of which fails the first time it is called.
func failsOnce(hook string, fail func() error) rpc.Plugin {
	var failed atomic.Bool
	return newAllHooks("broken", func(_, called string, _ any) error {
		if called == hook && failed.CompareAndSwap(false, true) {
			return fail()
		}
		return nil
	})
}

// trial is two endpoints that do everything once.
type trial struct {
	t      *testing.T
	b      *bed
	pushed chan string
}

// run gives the steps in their order and how each ended.
func (r *trial) run() (steps []string, outcome map[string]error) {
	outcome = make(map[string]error)
	step := func(name string, err error) bool {
		steps = append(steps, name)
		outcome[name] = err
		return err == nil
	}
	t, b := r.t, r.b
	if s, err := b.client.Dial(t.Context(), b.address); step("dial", err) {
		var got string
		err := s.Call(t.Context(), "/echo", "x", &got)
		if step("call", err) && got != "x" {
			t.Errorf("the call gives %q", got)
		}
		if step("push", s.Push(t.Context(), "/note", "x")) {
			synctest.Wait()
			err = errors.New("dropped")
			if len(r.pushed) == 1 {
				<-r.pushed
				err = nil
			}
			step("pushed", err)
		}
		s.Close()
		<-s.Done()
	}
	_, err := b.client.Dial(t.Context(), "mem://nobody")
	if status.CodeOf(err) != status.DialFailed || errors.Is(err, errHook) {
		t.Errorf("dialling nobody: %v", err)
	}
	synctest.Wait()
	if n := b.server.Stats().Sessions + b.client.Stats().Sessions; n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	return steps, outcome
}

// newHookBed is a bed in memory whose server does not serve yet.
func newHookBed(t *testing.T, server, client rpc.Config) *bed {
	t.Helper()
	b := &bed{t: t, serverLog: new(logBook), clientLog: new(logBook), address: "mem://server"}
	network := memory.New()
	for c, log := range map[*rpc.Config]*logBook{&server: b.serverLog, &client: b.clientLog} {
		c.Transports = []transport.Transport{network}
		c.Logger = slog.New(slog.NewTextHandler(log, nil))
	}
	b.server, b.client = newEndpoint(t, server), newEndpoint(t, client)
	return b
}

// newTrial does what comes before, again if the hook makes it fail.
func newTrial(t *testing.T, c hookCase, plugin rpc.Plugin) (r *trial, outcome map[string]error) {
	outcome = make(map[string]error)
	configs := map[string]*rpc.Config{onServer: {}, onClient: {}}
	configs[c.side].Plugins = []rpc.Plugin{plugin}
	again := func(step string, f func() error) {
		t.Helper()
		if outcome[step] = f(); outcome[step] != nil {
			if err := f(); err != nil {
				t.Fatalf("%s fails again: %v", step, err)
			}
		}
	}
	again("new", func() error {
		_, err := rpc.New(*configs[onServer])
		return err
	})
	r = &trial{t: t, pushed: make(chan string, 10), b: newHookBed(t, *configs[onServer], *configs[onClient])}
	again("register", func() error {
		return rpc.Handle(r.b.server, "/echo", func(_ rpc.Context, s string) (string, error) { return s, nil })
	})
	mustHandlePush(t, r.b.server, "/note", func(_ rpc.Context, s string) error {
		r.pushed <- s
		return nil
	})
	again("serve", func() error {
		ln, err := r.b.server.Listen(t.Context(), r.b.address)
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- r.b.server.Serve(ln) }()
		synctest.Wait()
		select {
		case err := <-served:
			return err
		default:
			return nil
		}
	})
	return r, outcome
}

// TestF8 lets each hook fail in turn, once: that is seen where it says, and nowhere
// else, and afterwards everything works.
func TestF8EachHookMayFail(t *testing.T) {
	cases := hookCases()
	checkAllHooks(t, cases)
	for _, c := range cases {
		for way, fail := range failures() {
			t.Run(c.hook+"/"+way, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { c.try(t, way, fail) })
			})
		}
	}
}

// checkAllHooks: the cases are those that a plugin can have.
func checkAllHooks(t *testing.T, cases []hookCase) {
	t.Helper()
	all := make(map[string]bool)
	for m := range reflect.TypeFor[allHooks]().NumMethod() {
		all[reflect.TypeFor[allHooks]().Method(m).Name] = true
	}
	delete(all, "Name")
	if len(cases) != 27 || len(all) != 27 {
		t.Fatalf("%d cases for %d hooks", len(cases), len(all))
	}
	for _, c := range cases {
		delete(all, c.hook)
	}
	if len(all) > 0 {
		t.Errorf("there is no case for %v", all)
	}
}

func (c hookCase) try(t *testing.T, way string, fail func() error) {
	r, outcome := newTrial(t, c, failsOnce(c.hook, fail))
	steps, more := r.run()
	steps = append([]string{"new", "register", "serve"}, append(steps, "close")...)
	for name, err := range more {
		outcome[name] = err
	}
	if again, outcome := r.run(); len(again) != 4 {
		t.Errorf("afterwards it does not work: %v", outcome)
	}
	outcome["close"] = r.b.server.Close()
	if err := errors.Join(r.b.server.Close(), r.b.client.Close()); err != nil {
		t.Errorf("close: %v", err)
	}
	for _, step := range steps {
		err := outcome[step]
		switch {
		case step == c.step:
			c.check(t, way, err)
		case c.closes && step == "push":
			wantCode(t, err, status.ConnectionClosed)
		case err != nil:
			t.Errorf("%s fails: %v", step, err)
		}
	}
	log := map[string]*logBook{onServer: r.b.serverLog, onClient: r.b.clientLog}[c.side].String()
	if (c.step == "" || c.peer && !(c.coded && way == "status")) && !strings.Contains(log, errHook.Error()) {
		t.Errorf("the log does not have it: %s", log)
	}
	if (c.step == "" || c.peer) && way == "panic" && !strings.Contains(log, "hooks_test.go:") {
		t.Errorf("the log does not say where: %s", log)
	}
}

// check looks at the error of the step.
func (c hookCase) check(t *testing.T, way string, err error) {
	t.Helper()
	code := c.code
	if way == "status" && c.coded {
		code = 1234
	}
	if code != 0 {
		wantCode(t, err, code)
	}
	var panicked *rpc.HookError
	switch {
	case err == nil:
		t.Errorf("%s succeeds", c.step)
	case c.peer:
		if code != 1234 && strings.Contains(err.Error(), errHook.Error()) {
			t.Errorf("the peer sees %v", err)
		}
	case way == "error" && !errors.Is(err, errHook):
		t.Errorf("the hook's error is not in %v", err)
	case way == "panic" && (!errors.As(err, &panicked) || panicked.Plugin != "broken" || panicked.Hook != c.hook ||
		panicked.Value != errHook.Error() || !strings.Contains(string(panicked.Stack), "hooks_test.go:")):
		t.Errorf("the panic is not in %v", err)
	}
}

// TestF6: a plugin that panics when a peer leaves.
func TestF6PanicWhenAPeerLeavesIsLogged(t *testing.T) {
	b := onTCP(t, rpc.Config{Plugins: []rpc.Plugin{newAllHooks("broken", func(_, hook string, _ any) error {
		if hook == "AfterDisconnect" {
			panic("it left")
		}
		return nil
	})}})
	echo(t, b.server)
	for range 3 {
		s := b.dial()
		if err := s.Call(t.Context(), "/echo", "x", nil); err != nil {
			t.Error(err)
		}
		s.Close()
		<-s.Done()
	}
	eventually(t, "each panic is logged", func() bool {
		return strings.Count(b.serverLog.String(), "plugin broken panicked in AfterDisconnect: it left") == 3
	})
}

// TestF7F22 with the hooks of a caller: the session goes on.
func TestF7F22PanicsOfACallersHooksAreErrorsOfTheCall(t *testing.T) {
	for _, cell := range combinations() {
		if !strings.HasSuffix(cell.name, "/mem") {
			continue
		}
		for hook, code := range map[string]status.Code{
			"BeforeWriteCall": status.WriteFailed, "BeforeWritePush": status.WriteFailed,
			"AfterReadReplyHeader": status.BadMessage, "BeforeReadReplyBody": status.BadMessage, "AfterReadReplyBody": status.BadMessage,
		} {
			t.Run(cell.name+"/"+hook, func(t *testing.T) {
				broken := failsOnce(hook, func() error { panic("as asked") })
				b := newBed(t, rpc.Config{Proto: cell.proto}, rpc.Config{Proto: cell.proto, Plugins: []rpc.Plugin{broken}}, cell.address(t))
				echo(t, b.server)
				s := b.dial()
				ctx := timeout(t, 10*time.Second)
				if hook == "BeforeWritePush" {
					wantCode(t, s.Push(ctx, "/echo", "x"), code)
				} else {
					wantCode(t, s.Call(ctx, "/echo", "x", new(string)), code)
				}
				var got string
				if err := s.Call(ctx, "/echo", "x", &got); err != nil || got != "x" {
					t.Errorf("afterwards %q, %v", got, err)
				}
			})
		}
	}
}
