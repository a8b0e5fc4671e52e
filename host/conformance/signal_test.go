package conformance

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dserver/dserver/host/hosttest"
)

// foreground starts an instance that stays in the foreground, without a terminal,
// and waits until it is ready.
func foreground(t *testing.T, in *hosttest.Instance, flags ...string) *process {
	t.Helper()
	p := begin(t, in, in.Binary, append([]string{"start"}, flags...)...)
	stopAtTheEnd(t, in)
	p.says("\nlog: ") // the last line of what it says when it is ready
	return p
}

// stopAtTheEnd sees to it that an instance is stopped before its process would be
// killed.
func stopAtTheEnd(t *testing.T, in *hosttest.Instance) {
	t.Cleanup(func() {
		if in.Running() {
			in.Stop()
		}
	})
}

// TestForegroundInstance: what it prints, and that stop ends it with exit code 0.
func TestForegroundInstance(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		p := foreground(t, in)
		if text := p.out.String(); !strings.Contains(text, "app is ready after ") || !strings.Contains(text, in.Addr("web", "tcp")) {
			t.Errorf("it prints\n%s", text)
		}
		in.Stop()
		if code := p.wait(); code != 0 {
			t.Errorf("it ends with code %d:\n%s", code, p.out.String())
		}
	})
}

// TestSignalsEndIt: TERM and INT leave the stop time limit, QUIT the drain time
// limit; all end with code 0.
func TestSignalsEndIt(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(hosttest.Settings{StopTimeout: 300 * time.Millisecond, DrainTimeout: 20 * time.Second})
		for _, c := range []struct {
			signal syscall.Signal
			drains bool
		}{{syscall.SIGTERM, false}, {syscall.SIGINT, false}, {syscall.SIGQUIT, true}} {
			p := foreground(t, in)
			request := hold(t, in)
			began := time.Now()
			kill(t, in.Info().Pid, c.signal)
			if c.drains {
				// Longer than the stop time limit.
				if within(time.Second, p.hasEnded) {
					t.Fatalf("%v does not wait for the request", c.signal)
				}
				request.release()
			} else {
				request.cut()
			}
			if code := p.wait(); code != 0 {
				t.Errorf("%v: exit code %d:\n%s", c.signal, code, p.out.String())
			}
			if took := time.Since(began); !c.drains && took < 300*time.Millisecond {
				t.Errorf("%v: cut after %v already", c.signal, took)
			}
			in.AssertGone()
		}
	})
}

// TestSecondTermCutsAtOnce: the first waits for what runs, the second does not,
// and the log names what was cut.
func TestSecondTermCutsAtOnce(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(hosttest.Settings{StopTimeout: time.Minute})
		p := foreground(t, in)
		request := hold(t, in)
		pid := in.Info().Pid
		kill(t, pid, syscall.SIGTERM)
		waitFor(t, "the stop to begin", func() bool { return strings.Contains(p.out.String(), "stopping") })
		if within(300*time.Millisecond, p.hasEnded) {
			t.Fatal("it did not wait for the request")
		}
		began := time.Now()
		kill(t, pid, syscall.SIGTERM)
		request.cut()
		cut := time.Since(began)
		if code := p.wait(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		// Half a second is for a busy machine; a limit would last longer.
		if cut > 500*time.Millisecond || time.Since(began) > 3*time.Second {
			t.Errorf("cut after %v, ended after %v", cut, time.Since(began))
		}
		if text := p.out.String(); !strings.Contains(text, "web: POST /echo from ") {
			t.Errorf("what was cut is not named:\n%s", text)
		}
		in.AssertGone()
	})
}

// TestSignalsReload: USR2 always, HUP without a terminal.
func TestSignalsReload(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		p := foreground(t, in)
		for i, s := range []syscall.Signal{syscall.SIGUSR2, syscall.SIGHUP} {
			label := "build" + itoa(i)
			in.Install(hosttest.Build{Label: label})
			kill(t, in.Info().Pid, s)
			waitFor(t, "the reload", func() bool {
				info, err := in.Client.Info(t.Context())
				return err == nil && info.Reloads.Done == i+1
			})
			if got := in.Run("call", "tcp://"+in.Addr("math", "tcp"), "/math/build"); !strings.Contains(got.Stdout, label) {
				t.Errorf("after %v: %v, want %s", s, got, label)
			}
		}
		// Who started it watches a process that has gone in single mode; the
		// instance goes on.
		in.Stop()
		if code := p.wait(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	})
}

// TestWorkersIgnoreTheTerminal: a key or a hangup is for the master, which tells
// its workers itself.
func TestWorkersIgnoreTheTerminal(t *testing.T) {
	in := hosttest.New(t, "multi")
	in.Start()
	pid := pidOf(t, in, "web")
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGHUP} {
		kill(t, pid, s)
	}
	for range 10 {
		if _, err := get(t.Context(), in.Addr("web", "tcp"), "/"); err != nil {
			t.Error(err)
		}
	}
	if now := pidOf(t, in, "web"); now != pid {
		t.Errorf("web runs in %d, no longer in %d", now, pid)
	}
}

// TestWorkerObeysTerm: a TERM is for somebody who means this one worker. It
// drains, and is replaced.
func TestWorkerObeysTerm(t *testing.T) {
	in := hosttest.New(t, "multi")
	in.Start()
	pid := pidOf(t, in, "web")
	request := hold(t, in)
	kill(t, pid, syscall.SIGTERM)
	if within(300*time.Millisecond, func() bool { return !alive(pid) }) {
		t.Fatal("it did not wait for the request")
	}
	request.release()
	waitFor(t, "the end of the worker", func() bool { return !alive(pid) })
	waitFor(t, "a new one", func() bool { now := pidOf(t, in, "web"); return now != pid && now != 0 })
	if _, err := get(t.Context(), in.Addr("web", "tcp"), "/"); err != nil {
		t.Error(err)
	}
}
