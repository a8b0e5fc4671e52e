package rpc_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// unready is a plugin whose BeforeWriteReply fails.
type unready struct{ err error }

func (u unready) Name() string                          { return "unready" }
func (u unready) BeforeWriteReply(c rpc.WriteCtx) error { return u.err }

// TestResultThatAHookRefusesStaysHere: had the hook encrypted it, it would have gone out
// in the clear.
func TestResultThatAHookRefusesStaysHere(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		code status.Code
	}{
		"error":  {errors.New("secret reason"), status.InternalServerError},
		"status": {status.New(1001, "known"), 1001},
	} {
		t.Run(name, func(t *testing.T) {
			b := onTCP(t, rpc.Config{Plugins: []rpc.Plugin{unready{test.err}}})
			echo(t, b.server)
			var got string
			err := b.dial().Call(t.Context(), "/echo", "secret", &got)
			wantCode(t, err, test.code)
			if got != "" || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %q, %v", got, err)
			}
			wantCode(t, b.dial().Call(t.Context(), "/nowhere", "x", nil), status.NotFound)
			p := b.dialRaw()
			p.send(&message.Message{Seq: 1, Type: message.Call, Method: "/echo", Codec: 'j', Body: []byte(`"secret"`)})
			if m := p.mustRead(); m.Codec != 0 || len(m.Body) > 0 {
				t.Errorf("got %+v", m)
			}
		})
	}
}

// full is a plugin that has no room for any PUSH.
type full struct{}

func (full) Name() string                           { return "full" }
func (full) BeforeReadPushBody(c rpc.ReadCtx) error { return status.New(status.Overloaded, "no room") }

func TestPushThatAHookShedsIsCountedAndHardlyLogged(t *testing.T) {
	b := onTCP(t, rpc.Config{Plugins: []rpc.Plugin{full{}}})
	mustHandlePush(t, b.server, "/note", func(rpc.Context, any) error {
		t.Error("the handler runs")
		return nil
	})
	s := b.dial()
	for range 200 {
		if err := s.Push(t.Context(), "/note", "x"); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all are dropped", func() bool { return b.server.Stats().DroppedPushes == 200 })
	if n := b.server.Stats().Overloads; n != 200 {
		t.Errorf("%d overloads", n)
	}
	if n := strings.Count(b.serverLog.String(), "\n"); n > 12 {
		t.Errorf("%d lines in the log", n)
	}
}
