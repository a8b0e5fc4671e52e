package hosttest_test

import (
	"bufio"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/hosttest"
	"github.com/dserver/dserver/internal/group"
)

// stopLimit is how long a stop may take when nothing is in flight: the kill ladder
// for what is not wanted any more takes a second, and the machine may be busy.
const stopLimit = 6 * time.Second

// A stop wins over a reload at whatever moment it comes.
func TestStopDuringReload(t *testing.T) {
	hosttest.EachMode(t, func(t *testing.T, in *hosttest.Instance) { stopDuringReloads(t, in, 4) })
}

func stopDuringReloads(t *testing.T, in *hosttest.Instance, rounds int) {
	t.Helper()
	for i := range rounds {
		in.Start()
		// Spread over the rounds, so that every phase has its turn.
		moment := time.Duration(i)*130*time.Millisecond/time.Duration(rounds) + rand.N(30*time.Millisecond)
		stopDuringReload(t, in, moment)
		if t.Failed() {
			t.Fatalf("in round %d, %v after the reload was asked for", i, moment)
		}
	}
}

// stopDuringReload stops a while after a reload was asked for. Whoever asked gets
// an answer in any case.
func stopDuringReload(t *testing.T, in *hosttest.Instance, after time.Duration) {
	t.Helper()
	reloads := group.New(context.WithoutCancel(t.Context()), nil)
	answer := ask(reloads, in)
	select {
	case <-time.After(after):
	case <-t.Context().Done():
	}
	began := time.Now()
	if r := in.Run("stop"); r.Code != 0 {
		t.Errorf("cannot stop: %v", r)
	}
	if took := time.Since(began); took > stopLimit {
		t.Errorf("the stop took %v", took)
	}
	select {
	case a := <-answer:
		t.Logf("stopped after %v: the reload was %q, %s %v", after, a.result.Outcome, a.result.Error, a.err)
	case <-time.After(stopLimit):
		t.Error("the reload was never answered")
	}
	in.AssertGone()
}

// A stop that the former master of a reload gets, because it was on its way, is meant for
// the whole instance.
func TestStopThatWasOnItsWay(t *testing.T) {
	in := hosttest.New(t, "single")
	for range 5 {
		in.Start()
		conn, err := net.Dial("unix", in.Socket)
		if err != nil {
			t.Fatal(err)
		}
		send := func(text string) {
			if _, err := io.WriteString(conn, text); err != nil {
				t.Fatal(err)
			}
		}
		send("POST /v1/stop HTTP/1.1\r\nHost: dserver\r\n")
		if result, err := in.Reload(t.Context(), ctl.ReloadRequest{}); err != nil || result.Outcome != "committed" {
			t.Fatalf("%+v, %v", result, err)
		}
		send("Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
		conn.SetReadDeadline(time.Now().Add(stopLimit))
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("no answer: %v", err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("answer %s", answer.Status)
		}
		conn.Close()
		in.Until("the instance to stop", func() bool { return len(in.Processes()) == 0 })
		in.AssertGone()
	}
}

// A new generation that takes for ever to get ready does not hold up a stop.
func TestStopDuringEndlessStart(t *testing.T) {
	hosttest.EachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Start()
		events := follow(t, in)
		in.Install(hosttest.Build{Label: "endless", Fault: "never-ready"})
		reloads := group.New(context.WithoutCancel(t.Context()), nil)
		answer := ask(reloads, in)
		events.await("reload_started", 1)
		events.awaitState("faulty", "starting")
		began := time.Now()
		in.Stop()
		if took := time.Since(began); took > stopLimit {
			t.Errorf("the stop took %v", took)
		}
		if a := <-answer; a.err == nil && a.result.Outcome == "committed" {
			t.Errorf("the reload: %+v", a.result)
		}
		in.AssertGone()
	})
}

// A sandbox that never returns is reported and does not hold up a stop for longer
// than it has.
func TestStopOfAServeThatNeverReturns(t *testing.T) {
	hosttest.EachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(hosttest.Settings{Fault: "hang", StopTimeout: time.Second})
		in.Start()
		began := time.Now()
		in.Stop()
		if took := time.Since(began); took > time.Second+stopLimit {
			t.Errorf("the stop took %v", took)
		}
		in.AssertGone()
	})
}
