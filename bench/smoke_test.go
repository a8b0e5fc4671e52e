package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/bench/internal/cell"
	"github.com/dserver/dserver/bench/internal/load"
	"github.com/dserver/dserver/bench/internal/payload"
	"github.com/dserver/dserver/bench/internal/peer"
	"github.com/dserver/dserver/bench/internal/process"
	"github.com/dserver/dserver/bench/internal/result"
	"github.com/dserver/dserver/bench/internal/roster"
	"github.com/dserver/dserver/internal/proc"
)

const short = 100 * time.Millisecond

// TestEveryPeerWorks measures each in processes of its own, with every body and in every
// mode.
func TestEveryPeerWorks(t *testing.T) {
	for _, name := range roster.Names() {
		t.Run(name, func(t *testing.T) {
			for _, c := range []cell.Cell{
				{Mode: cell.Call, Body: payload.Record, Callers: 8, Connections: 2},
				{Mode: cell.Call, Body: payload.Small, Callers: 1, Connections: 1},
				{Mode: cell.Call, Body: payload.Large, Callers: 2, Connections: 1},
				{Mode: cell.Push, Body: payload.Record, Callers: 2, Connections: 1},
				{Mode: cell.Dial, Body: payload.Small, Callers: 2, Connections: 1},
			} {
				r, err := measure(t, name, c)
				if c.Mode == cell.Push && errors.Is(err, peer.ErrNoPush) {
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if r.Peer != name || r.Cell != c.String() || r.Calls == 0 || r.Errors != 0 {
					t.Errorf("%v: got %+v", c, r)
				}
			}
		})
	}
}

// measure takes more time if no call was answered meanwhile, as when the machine is busy.
func measure(t *testing.T, name string, c cell.Cell) (r result.Run, err error) {
	for d := short; d <= 16*short && r.Calls == 0 && r.Errors == 0 && err == nil; d *= 4 {
		r, err = process.Measure(t.Context(), load.Plan{Peer: name, Cell: c, Time: d, Warm: short / 10})
	}
	return r, err
}

// command runs the command with arguments and gives what it prints.
func command(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	o, err := parseOptions(args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var text, progress bytes.Buffer
	err = (&bench{options: o, out: &text, progress: &progress, take: process.Measure}).run(t.Context())
	if t.Failed() || err != nil {
		t.Logf("progress:\n%s", progress.Bytes())
	}
	return text.String(), err
}

func TestTables(t *testing.T) {
	out, err := command(t, "-time", "50ms", "-rounds", "2", "-peer", "ceil-pb|ceil-yield|net-rpc", "-cell", "call:16B:16:1|push:16B")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"call:16B:16:1: calls with 16 bytes", "push:16B:16:1: messages of 16 bytes", "ceil-yield", "net-rpc", "targets"} {
		if !strings.Contains(out, want) {
			t.Errorf("there is no %q in\n%s", want, out)
		}
	}
}

func TestJSON(t *testing.T) {
	out, err := command(t, "-json", "-time", "300ms", "-rounds", "2", "-peer", "^ceil-yield$|^net-rpc$", "-cell", "^call:16B:16:1$")
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for d := json.NewDecoder(strings.NewReader(out)); ; {
		var r result.Run
		if err := d.Decode(&r); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if r.Rate == 0 || r.P50 == 0 || r.P99 == 0 || r.Cell != "call:16B:16:1" {
			t.Errorf("got %+v", r)
		}
		order = append(order, r.Peer)
	}
	if want := "ceil-yield net-rpc net-rpc ceil-yield"; strings.Join(order, " ") != want {
		t.Errorf("measured %v, want %s", order, want)
	}
}

// TestNothingIsLeftBehind ends a measurement in the middle.
func TestNothingIsLeftBehind(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		c := cell.Cell{Mode: cell.Call, Callers: 1, Connections: 1}
		_, err := process.Measure(ctx, load.Plan{Peer: "ceil-yield", Cell: c, Time: time.Hour})
		ended <- err
	}()
	var client, server int
	eventually(t, "the server runs", func() bool {
		client = first(proc.Children(os.Getpid()))
		server = first(proc.Children(client))
		return server != 0
	})
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	eventually(t, "both have ended", func() bool { return !proc.Alive(client) && !proc.Alive(server) })
}

func first(pids []int) int {
	if len(pids) == 0 {
		return 0
	}
	return pids[0]
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func TestAPeerThatThereIsNot(t *testing.T) {
	_, err := process.Measure(t.Context(), load.Plan{Peer: "nobody", Cell: cell.Standard()[0], Time: short})
	if err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("got %v", err)
	}
}
