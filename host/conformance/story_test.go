package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/hosttest"
)

// step is one thing that is done to an instance.
type step struct {
	verb string // as typed, without the flags that say which instance
	code int    // exit code
	do   func(s *story)
	own  bool // run with the instance's binary, as who starts it does
	free bool // work goes on afterwards: the state is not looked at
}

// story is one run of all steps in one mode.
type story struct {
	t    *testing.T
	in   *hosttest.Instance
	tell *transcript
	held *held

	reloads int // done before the one that goes on alone
}

// TestEveryVerbInBothModes runs one row of steps in both modes and compares what
// each verb printed, its exit code, and what the master says of itself
// afterwards. What may differ stands in docs/modes.md.
func TestEveryVerbInBothModes(t *testing.T) {
	hosttest.New(t, "multi") // builds the program, once for both
	var told [2][]entry
	t.Run("run", func(t *testing.T) {
		for i, mode := range []string{"single", "multi"} {
			t.Run(mode, func(t *testing.T) {
				t.Parallel()
				s := &story{t: t, in: hosttest.New(t, mode)}
				s.tell = newTranscript(s.in)
				s.run(steps())
				told[i] = s.tell.entries
			})
		}
	})
	if len(told[0]) == 0 || len(told[1]) == 0 {
		t.Fatal("there is nothing to compare")
	}
	allowed := allowedDifferences(t)
	compare(t, apply(told[0], allowed), apply(told[1], allowed))
	everyDifferenceIsReal(t, told, allowed)
}

func (s *story) run(steps []step) {
	for i, step := range steps {
		name := fmt.Sprintf("%02d %s", i+1, step.verb)
		if step.do != nil {
			step.do(s)
		}
		if step.verb == "" {
			continue
		}
		program := verbs
		if step.own {
			program = s.in.Binary
		}
		got := s.verb(program, step.verb)
		if got.Code != step.code {
			s.t.Errorf("%s: %v\nwant exit code %d", name, got, step.code)
		}
		s.tell.result(name, got)
		if !step.free {
			s.tell.note(name+": state", s.state())
		}
	}
}

// verbs stands for the program that carries out verbs and is never replaced.
const verbs = ""

func (s *story) verb(program, line string) hosttest.Result {
	words := strings.Split(strings.ReplaceAll(line, "BINARY", s.in.Binary), " ")
	for i, word := range words {
		if network, name, ok := strings.Cut(word, "@"); ok { // tcp@math is where math listens
			words[i] = network + "://" + s.in.Addr(name, network)
		}
	}
	if program == verbs {
		return s.in.Run(words[0], words[1:]...)
	}
	return s.in.Command(program, words[0], words[1:]...)
}

// state is what the master says of itself, without what is measured.
func (s *story) state() []string {
	if !s.in.Running() {
		return []string{"not running"}
	}
	in := s.in.Inspect()
	for i := range in.Workers {
		in.Workers[i].Usage = nil
	}
	in.Runtime = ctl.Runtime{}
	text, err := json.Marshal(in)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.tell.facts(string(text))
}

func ready(s *story) {
	waitFor(s.t, "all sandboxes to be ready", func() bool {
		list, err := s.in.Client.Sandboxes(context.WithoutCancel(s.t.Context()))
		return err == nil && !slices.ContainsFunc(list, func(b ctl.Sandbox) bool { return b.State != "ready" })
	})
}

// quiet waits until no former generation is left.
func quiet(s *story) {
	waitFor(s.t, "former generations to go", func() bool {
		list, err := s.in.Client.Workers(context.WithoutCancel(s.t.Context()), false)
		return err == nil && !slices.ContainsFunc(list, func(w ctl.Worker) bool { return w.State != "serving" })
	})
}

// steps is the story. Every verb comes when nothing runs, when all is well, with
// a name that is unknown and, where it waits, with too short a time limit.
func steps() []step {
	return slices.Concat(whileNothingRuns(), firstStart(), lookAround(), calls(), oneSandbox(), reloads(), limits(), ends())
}

func whileNothingRuns() []step {
	return []step{
		{verb: "status", code: 3},
		{verb: "status web", code: 3},
		{verb: "inspect", code: 3},
		{verb: "logs", code: 3},
		{verb: "logs -f web", code: 3},
		{verb: "events", code: 3},
		{verb: "loglevel web debug", code: 3},
		{verb: "reload", code: 3},
		{verb: "reload web --dry-run", code: 3},
		{verb: "restart web", code: 3},
		{verb: "stop", code: 3},
		{verb: "stop web", code: 3},
		{verb: "quit", code: 3},
		{verb: "quit web", code: 3},
		{verb: "ctl status", code: 3},
		{verb: "ctl stop", code: 3},
		{verb: "check", code: 0},
		{verb: "version", code: 0},
		{verb: "completion bash", code: 0},
		{verb: "__complete status w", code: 0},
		{verb: "call tcp://127.0.0.1:1 /math/add [1]", code: 1},
		{verb: "start nobody", code: 1},
		{verb: "start -d nobody", code: 1},
	}
}

func firstStart() []step {
	return []step{
		{verb: "start -d", code: 0, own: true},
		{verb: "start -d", code: 1},
		{verb: "start", code: 1},
		{verb: "start --mode multi web", code: 1},
	}
}

func lookAround() []step {
	return []step{
		{verb: "status", code: 0},
		{verb: "ps", code: 0},
		{verb: "info -v", code: 0},
		{verb: "status --output json", code: 0},
		{verb: "status web", code: 0},
		{verb: "status web -v --output json", code: 0},
		{verb: "status nobody", code: 1},
		{verb: "inspect", code: 0},
		{verb: "inspect --output json", code: 0},
		{verb: "inspect math", code: 0},
		{verb: "inspect nobody", code: 1},
		{verb: "logs -n 0", code: 0},
		{verb: "logs math", code: 0},
		{verb: "logs nobody", code: 1},
		{verb: "loglevel web debug", code: 0},
		{verb: "loglevel web loud", code: 2},
		{verb: "loglevel nobody info", code: 1},
		{verb: "ctl status", code: 0},
		{verb: "ctl inspect web", code: 0},
		{verb: "version --output json", code: 0},
		{verb: "check --output json", code: 0},
		{verb: "__complete status w", code: 0},
		{verb: "__complete loglevel web d", code: 0},
	}
}

func calls() []step {
	return []step{
		{verb: "call tcp@math /math/add [1,2,3]", code: 0},
		{verb: "call unix@math /math/build", code: 0},
		{verb: "call unix@math /math/nothing", code: 1},
		{verb: `call tcp@math /math/add "one"`, code: 1},
		{verb: "call tcp@math /math/add [1", code: 2},
		{verb: "call tcp@math /math/panic", code: 1},
		{verb: "call tcp@math /math/sleep 5000 --timeout 100ms", code: 4},
		{verb: "call --push tcp@math /math/add [1]", code: 0},
	}
}

func oneSandbox() []step {
	return []step{
		{verb: "stop web", code: 0},
		{verb: "status web", code: 3},
		{verb: "status", code: 0},
		{verb: "stop web", code: 0},
		{verb: "start web", code: 0},
		{verb: "start web", code: 0},
		{verb: "quit math faulty", code: 0},
		{verb: "restart math faulty", code: 0},
		{verb: "restart nobody", code: 1},
		{verb: "restart web nobody", code: 1},
		{verb: "start nobody", code: 1},
		{verb: "stop nobody", code: 1},
		{verb: "quit nobody web", code: 1},
		{verb: "restart web --output json", code: 0},
		{verb: "ctl restart web", code: 0},
	}
}

func reloads() []step {
	configure := func(settings hosttest.Settings) func(*story) {
		return func(s *story) { s.in.Configure(settings) }
	}
	install := func(b hosttest.Build) func(*story) {
		return func(s *story) { s.in.Install(b) }
	}
	return []step{
		{verb: "reload --dry-run", code: 0, do: install(hosttest.Build{Label: "second"})},
		{verb: "reload --dry-run --output json", code: 0},
		{verb: "reload", code: 0},
		{verb: "status", code: 0, do: quiet},
		{verb: "reload web", code: 0, do: install(hosttest.Build{Label: "for-web"})},
		{verb: "status --output json", code: 0, do: quiet},
		{verb: "status", code: 0},
		{verb: "reload nobody", code: 1},
		{verb: "reload --binary BINARY", code: 0},
		{verb: "status", code: 0, do: quiet},
		{verb: "reload --binary BINARY.none", code: 1},
		{verb: "stop faulty", code: 0},
		{verb: "reload", code: 0},
		{verb: "status faulty", code: 3, do: quiet},
		{verb: "start faulty", code: 0},
		{verb: "reload", code: 1, do: install(hosttest.Build{Label: "bad", Fault: "error"})},
		{verb: "reload", code: 1, do: install(hosttest.Build{Label: "bad", Fault: "exit"})},
		{verb: "reload", code: 1, do: install(hosttest.Build{Label: "bad", Fault: "panic"})},
		{verb: "reload", code: 1, do: install(hosttest.Build{Label: "bad", Fault: "exit-in-main"})},
		{verb: "reload", code: 1, do: func(s *story) {
			s.in.Install(hosttest.Build{Label: "third"})
			s.in.ConfigureText("mode = 7\n")
		}},
		{verb: "status", code: 0},
		{verb: "reload", code: 1, do: func(s *story) { s.in.InstallFile([]byte("no program"), 0o755) }},
		{verb: "reload", code: 0, do: func(s *story) {
			s.in.Install(hosttest.Build{Label: "third"})
			s.in.Configure(hosttest.Settings{DrainTimeout: 19 * time.Second})
		}},
		{verb: "status", code: 0, do: quiet},
		{verb: "reload", code: 1, do: func(s *story) {
			s.in.Configure(hosttest.Settings{Extra: "\nname = \"another\"\n"})
		}},
		{verb: "ctl reload", code: 0, do: configure(hosttest.Settings{})},
		{verb: "ctl status", code: 0, do: quiet},
		{do: happened},
	}
}

// upgrading is how a master begins to go over to another build in place.
const upgrading = "master_state master upgrading"

// happened notes what the events tell: of the master, and of the sandboxes that
// came anew with every reload in both modes. Between sandboxes there is no order.
func happened(s *story) {
	all := eventsOf(s.t, s.in)
	checkOrder(s.t, all)
	told := map[string][]string{"master": nil, "web": nil, "faulty": nil}
	served := generationsThatServed(all)
	newest := make(map[string]int)
	for _, e := range all {
		generation, _ := strconv.Atoi(e.Data["generation"]) // not all have one
		_, wanted := told[e.Name]
		state := e.Data["state"]
		switch last := len(told["master"]) - 1; {
		case e.Kind == "master_state" && state == "running" && last >= 0 && told["master"][last] == upgrading:
			told["master"][last] += ", and running again"
		case strings.HasPrefix(e.Kind, "reload_"), e.Kind == "master_state":
			told["master"] = append(told["master"], e.Kind+" "+e.Text)
		case e.Kind != "sandbox_state", !wanted, !served[generation]:
		case generation < newest[e.Name]:
			// How a former generation ends is told by the former process: in single
			// mode nobody follows its events any more (docs/modes.md, "events").
			if state != "draining" && state != "stopped" {
				s.t.Errorf("a former generation of %s is %s", e.Name, state)
			}
		default:
			newest[e.Name] = generation
			told[e.Name] = append(told[e.Name], fmt.Sprintf("generation %d is %s", generation, state))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(told)) {
		if len(told[name]) == 0 {
			s.t.Errorf("there are no events of %s", name)
		}
		s.tell.note("events of "+name, told[name])
	}
}

// generationsThatServed are those of the process that holds web; a new build that
// fails leaves others behind.
func generationsThatServed(all []ctl.Event) map[int]bool {
	served := make(map[int]bool)
	for _, e := range all {
		if e.Kind == "worker_state" && e.Data["to"] == "serving" && (e.Name == "web" || e.Name == "main") {
			generation, _ := strconv.Atoi(e.Data["generation"])
			served[generation] = true
		}
	}
	return served
}

// checkOrder: IDs rise by one and time does not run back, over reloads too.
func checkOrder(t *testing.T, all []ctl.Event) {
	t.Helper()
	for i := 1; i < len(all); i++ {
		a, b := all[i-1], all[i]
		if b.ID != a.ID+1 {
			t.Errorf("event %d follows %d", b.ID, a.ID)
		}
		if b.Time.Before(a.Time) {
			t.Errorf("event %d, %s, is older than the one before it, %s", b.ID, b.Text, a.Text)
		}
	}
}

// limits are verbs that are not given the time they need.
func limits() []step {
	holding := func(s *story) { s.held = hold(s.t, s.in) }
	release := func(s *story) { s.held.release() }
	return []step{
		{verb: "restart web --timeout 100ms", code: 4, do: holding},
		{do: release},
		{verb: "status", code: 0, do: ready},
		{verb: "stop web --timeout 100ms", code: 4, do: holding},
		{do: release},
		{verb: "status web", code: 3, do: func(s *story) {
			waitFor(s.t, "web to stop", func() bool { return sandbox(s.t, s.in, "web").State == "stopped" })
		}},
		{verb: "start web", code: 0},
		{verb: "quit web --timeout 100ms", code: 4, do: holding},
		{do: release},
		{verb: "start web", code: 0, do: func(s *story) {
			waitFor(s.t, "web to stop", func() bool { return sandbox(s.t, s.in, "web").State == "stopped" })
		}},
		{verb: "reload --timeout 500ms", code: 4, free: true, do: func(s *story) {
			s.in.Configure(hosttest.Settings{Probation: time.Second})
			s.reloads = s.in.Info().Reloads.Done
		}},
		{verb: "status", code: 0, do: func(s *story) {
			waitFor(s.t, "the reload to end", func() bool { return s.in.Info().Reloads.Done == s.reloads+1 })
			quiet(s)
		}},
	}
}

func ends() []step {
	return []step{
		{verb: "stop", code: 0},
		// One worker for all, so that it is still there while one of them drains.
		{verb: "start -d", code: 0, own: true, do: func(s *story) { s.in.Configure(hosttest.Settings{Worker: "all"}) }},
		{verb: "stop --timeout 100ms", code: 4, do: func(s *story) { s.held = hold(s.t, s.in) }},
		{verb: "status", code: 0},
		{verb: "reload", code: 1},
		{verb: "restart web", code: 1},
		{verb: "stop", code: 3, do: func(s *story) {
			s.held.release()
			waitFor(s.t, "the end", func() bool { return !s.in.Running() })
		}},
		{verb: "start -d --timeout 2s", code: 4, own: true, do: func(s *story) {
			s.in.Configure(hosttest.Settings{Fault: "slow-ready", After: time.Minute})
		}},
		{verb: "status", code: 3},
		{verb: "start --timeout 2s", code: 4, own: true},
		{verb: "start -d", code: 1, own: true, do: func(s *story) { s.in.Configure(hosttest.Settings{Fault: "error"}) }},
		{verb: "start -d", code: 1, own: true, do: func(s *story) { s.in.Configure(hosttest.Settings{Fault: "exit"}) }},
		{verb: "start -d", code: 1, own: true, do: func(s *story) { s.in.Configure(hosttest.Settings{Fault: "panic"}) }},
		{verb: "start -d web math", code: 0, own: true, do: func(s *story) { s.in.Configure(hosttest.Settings{}) }},
		{verb: "status", code: 0},
		{verb: "quit", code: 0},
		{verb: "quit", code: 3},
	}
}

// TestFollowersInBothModes follows events and log over a reload and a stop.
func TestFollowersInBothModes(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Start()
		events := begin(t, in, in.Binary, "events")
		logs := begin(t, in, in.Binary, "logs", "-f", "-n", "0")
		leaver := begin(t, in, in.Binary, "logs", "-f")
		events.says("master running")
		leaver.says("master running")
		leaver.signal(syscall.SIGINT)
		if code := leaver.wait(); code != 128+int(syscall.SIGINT) { // as with tail -f
			t.Errorf("who leaves gets exit code %d:\n%s", code, leaver.out.String())
		}
		in.MustReload(hosttest.Build{Label: "second"})
		events.says("reload 1 committed")
		logs.says("reload 1 committed")
		in.Stop()
		for name, p := range map[string]*process{"events": events, "logs -f": logs} {
			if code := p.wait(); code != 3 {
				t.Errorf("%s ends with code %d when the instance stops:\n%s", name, code, p.out.String())
			}
		}
	})
}
