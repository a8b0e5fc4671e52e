package main

import (
	"context"
	"errors"
	"strings"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/plugin/auth"
	"github.com/dserver/dserver/rpc/plugin/heartbeat"
	"github.com/dserver/dserver/rpc/status"
)

// Line is what everybody hears.
type Line struct {
	From string `json:"from"`
	Text string `json:"text"`
}

// Whisper is for one alone.
type Whisper struct {
	To   string `json:"to"`
	Text string `json:"text"`
}

// config has the plugins of the room: nobody speaks before it has said its name, and
// who falls silent is let go.
func config() rpc.Config {
	return rpc.Config{Plugins: []rpc.Plugin{auth.NewChecker(letIn), heartbeat.NewPong()}}
}

// letIn names the session; who takes a name that is there takes its place.
func letIn(_ context.Context, s rpc.EarlySession, name string) (welcome any, err error) {
	if strings.TrimSpace(name) == "" {
		return nil, status.New(status.Unauthorized, "say your name")
	}
	s.SetID(name)
	return "welcome, " + name, nil
}

// room registers what one can do in it.
func room(e *rpc.Endpoint) error {
	return errors.Join(
		rpc.Handle(e, "/say", func(ctx rpc.Context, text string) (heard int, err error) {
			return e.PushAll(ctx, "/line", Line{From: ctx.Session().ID(), Text: text})
		}),
		rpc.Handle(e, "/tell", func(ctx rpc.Context, w Whisper) (bool, error) {
			s, here := e.Session(w.To)
			if !here {
				return false, status.New(status.NotFound, w.To+" is not here")
			}
			return true, s.Push(ctx, "/line", Line{From: ctx.Session().ID(), Text: w.Text})
		}),
		rpc.Handle(e, "/who", func(rpc.Context, []byte) (names []string, err error) {
			for _, s := range e.Sessions() {
				names = append(names, s.ID())
			}
			return names, nil
		}),
	)
}
