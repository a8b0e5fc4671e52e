package rpc_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/message"
)

// TestHooksMayChangeWhatPasses: each adds its letter where it may.
func TestHooksMayChangeWhatPasses(t *testing.T) {
	changes := newAllHooks("changes", func(_, hook string, what any) error {
		if c, ok := what.(rpc.WriteCtx); ok && strings.Contains(hook, "Write") {
			return changeOutward(hook, c)
		}
		if c, ok := what.(rpc.ReadCtx); ok {
			return changeInward(hook, c)
		}
		return nil
	})
	everywhere(t, rpc.Config{Plugins: []rpc.Plugin{changes}}, func(t *testing.T, b *bed) {
		mustHandle(t, b.server, "/echo", func(ctx rpc.Context, s string) (string, error) {
			ctx.SetMeta("heard", ctx.Meta("BeforeWriteCall"))
			return s + "!", nil
		})
		pushed := make(chan string, 1)
		mustHandlePush(t, b.server, "/note", func(ctx rpc.Context, s string) error {
			pushed <- s + ctx.Meta("BeforeWritePush")
			return nil
		})
		s := b.dial()
		var got string
		var meta message.Meta
		if err := s.Call(t.Context(), "/ECHO", "", &got, rpc.WithReplyMeta(&meta)); err != nil || got != "cC!rR" {
			t.Errorf("got %q, %v", got, err)
		}
		if meta.Value("heard") != "was here" || meta.Value("BeforeWriteReply") != "was here" {
			t.Errorf("the metadata is %v", meta)
		}
		if err := s.Push(t.Context(), "/NOTE", ""); err != nil {
			t.Error(err)
		}
		if got := within(t, 10*time.Second, "the push comes", pushed); got != "pPwas here" {
			t.Errorf("pushed %q", got)
		}
	})
}

// changeOutward adds to a body that is encoded afterwards, or encodes it itself.
func changeOutward(hook string, c rpc.WriteCtx) error {
	text, _ := c.Body().(string)
	switch hook {
	case "BeforeWriteCall":
		b, err := c.Encode(text + "c")
		c.SetBody(b)
		c.Metadata().Set(hook, "was here")
		return err
	case "BeforeWritePush":
		c.SetBody(text + "p")
		c.Metadata().Set(hook, "was here")
	case "BeforeWriteReply":
		c.SetBody(text + "r")
		c.Metadata().Set(hook, "was here")
	}
	return nil
}

// changeInward adds to the bytes of a body.
func changeInward(hook string, c rpc.ReadCtx) error {
	letter, ok := map[string]string{"BeforeReadCallBody": "C", "BeforeReadPushBody": "P", "BeforeReadReplyBody": "R"}[hook]
	switch {
	case ok:
		var text string
		if err := c.Decode(c.Raw(), &text); err != nil {
			return err
		}
		c.SetRaw([]byte(`"` + text + letter + `"`))
	case hook == "AfterReadCallHeader", hook == "AfterReadPushHeader":
		c.SetMethod(strings.ToLower(c.Method()))
	case strings.HasSuffix(hook, "Body"):
		if text, ok := c.Body().(*string); !ok || *text == "" || c.Raw() != nil {
			return errors.New("after the decoding there is no value, or there are still bytes")
		}
	}
	return nil
}

// TestRedialGoesOnWithoutBeforeDial: its error is that of the first Dial alone.
func TestRedialGoesOnWithoutBeforeDial(t *testing.T) {
	dials := 0
	b := newBed(t, rpc.Config{}, rpc.Config{Plugins: []rpc.Plugin{newAllHooks("second", func(_, hook string, _ any) error {
		if hook == "BeforeDial" {
			if dials++; dials > 1 {
				return errors.New("not again")
			}
		}
		return nil
	})}}, "mem://server")
	echo(t, b.server)
	c := b.client.Client(b.address)
	for range 2 {
		if err := c.Call(t.Context(), "/echo", "x", nil); err != nil {
			t.Error(err)
		}
		s := b.client.Sessions()[0]
		s.Close()
		<-s.Done()
	}
	if dials != 2 || !strings.Contains(b.clientLog.String(), "not again") {
		t.Errorf("dialled %d times; the log: %s", dials, b.clientLog)
	}
	if _, err := b.client.Dial(t.Context(), b.address); err == nil {
		t.Error("the hook's error is not that of Dial")
	}
}
