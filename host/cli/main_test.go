package cli_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/cli"
	"github.com/dserver/dserver/internal/group"
)

func TestExitCodes(t *testing.T) {
	for _, tt := range []struct {
		line string
		runs bool
		want int
	}{
		{"status", true, 0},
		{"status math", true, 0},
		{"status mailer", true, 1},
		{"status nobody", true, 1},
		{"status", false, 3},
		{"status math", false, 3},
		{"stop", true, 0},
		{"stop", false, 3},
		{"quit", false, 3},
		{"stop nobody", true, 1},
		{"reload", true, 0},
		{"reload mailer", true, 1},
		{"reload web --timeout 10ms", true, 4},
		{"reload", false, 3},
		{"restart mailer", true, 1},
		{"restart", true, 2},
		{"start -d --name slow", false, 4},
		{"start -d --name crash", false, 1},
		{"start", true, 1},
		{"start -d", false, 0},
		{"inspect", false, 3},
		{"logs", false, 3},
		{"events", false, 3},
		{"loglevel web loud", true, 2},
		{"status nginx", true, 0},
		{"status jobs", true, 1},
		{"status mail-relay", true, 1},
		{"status cache", true, 3},
		{"status migrate", true, 3},
		{"signal nginx HUP", true, 0},
		{"signal nobody HUP", true, 1},
		{"signal nginx HUPP", true, 2},
		{"signal nginx HUP", false, 3},
		{"scale nginx=2", true, 0},
		{"scale nginx=x", true, 2},
		{"scale nobody=2", true, 1},
		{"scale nginx=2", false, 3},
		{"reset mail-relay", true, 0},
		{"reset", true, 2},
		{"upgrade", true, 0},
		{"upgrade", false, 3},
		{"unit --scope user", false, 0},
		{"unit --scope both", false, 2},
		{"stauts", true, 2},
		{"status --bogus", true, 2},
		{"status --output yaml", true, 2},
		{"", true, 2},
		{"--help", false, 0},
		{"help start", false, 0},
		{"version", false, 0},
		{"completion fish", false, 0},
		{"completion", false, 2},
	} {
		t.Run(fmt.Sprintf("%s running=%v", tt.line, tt.runs), func(t *testing.T) {
			h := newHost(t)
			if tt.runs {
				h.run("shop").master.withPrograms()
			}
			a := h.main(within(t), strings.Fields(tt.line)...)
			if a.code != tt.want {
				t.Errorf("exit code %d, want %d\n%s%s", a.code, tt.want, a.out, a.err)
			}
			if (a.code == 0) != (a.err == "") && !(strings.HasPrefix(tt.line, "status ") && a.out != "") {
				t.Errorf("exit code %d with stderr %q", a.code, a.err)
			}
			if strings.Contains(a.err, "goroutine ") && tt.line != "reload mailer" {
				t.Errorf("a stack trace: %s", a.err)
			}
		})
	}
}

// background runs a command line until it ends by itself.
func (h *host) background(ctx context.Context, args ...string) (out *buffer, ended <-chan int) {
	out = new(buffer)
	code := make(chan int, 1)
	h.groups.Go("command", func(context.Context) {
		code <- cli.Main(ctx, args, cli.Streams{In: strings.NewReader(""), Out: out, Err: out}, shop, h)
	})
	return out, code
}

func wait(t *testing.T, ctx context.Context, ended <-chan int) int {
	t.Helper()
	select {
	case code := <-ended:
		return code
	case <-ctx.Done():
		t.Fatal("the command has not ended")
		return -1
	}
}

// until waits for a text in a stream that another goroutine writes.
func until(t *testing.T, ctx context.Context, out *buffer, text string) {
	t.Helper()
	eventually(t, ctx, text, func() bool { return strings.Contains(out.String(), text) })
}

func eventually(t *testing.T, ctx context.Context, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("this never came: %s", what)
		}
	}
}

func TestStartStaysInTheForegroundUntilItIsStopped(t *testing.T) {
	h, ctx := newHost(t), within(t)
	out, ended := h.background(ctx, "start", "--mode", "single", "--env", "dev", "-c", "conf/dserver.toml", "--timeout", "5s", "--demo")
	until(t, ctx, out, "is ready after 85ms")
	until(t, ctx, out, "shop call tcp://127.0.0.1:9091")
	if a := h.main(ctx, "start"); a.code != 1 || !strings.Contains(a.err, "pid 100") {
		t.Errorf("a second start: %+v", a)
	}
	if a := h.main(ctx, "stop"); a.code != 0 {
		t.Errorf("stop: %+v", a)
	}
	if len(h.running()) != 0 {
		t.Error("stop returned before the instance had gone")
	}
	if code := wait(t, ctx, ended); code != 0 {
		t.Errorf("start ended with %d: %s", code, out)
	}
}

func TestStartPassesWhatItWasTold(t *testing.T) {
	h, ctx := newHost(t), within(t)
	t.Setenv("DSERVER_RUNTIME_DIR", "/run/elsewhere")
	h.main(ctx, "start", "-d", "--mode", "single", "--env", "dev", "-c", "conf/x.toml", "--name", "crash", "--timeout", "5s", "--demo", "math", "web")
	got := h.took
	want := cli.StartOptions{Global: cli.Global{Name: "crash", RuntimeDir: "/run/elsewhere", Config: "conf/x.toml", Env: "dev"},
		Names: []string{"math", "web"}, Mode: "single", Demo: true, Timeout: 5 * time.Second}
	got.Out, got.Err = nil, nil
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	h.main(ctx, "--runtime-dir", "/run/chosen", "start", "-d", "--name", "crash")
	if h.took.RuntimeDir != "/run/chosen" || h.took.Timeout != time.Minute {
		t.Errorf("got %+v", h.took)
	}
}

func TestAnApplicationWithoutDemoHasNoFlagForIt(t *testing.T) {
	h := newHost(t)
	var out buffer
	app := cli.App{Name: "plain", Short: "No demo"}
	code := cli.Main(within(t), []string{"start", "--demo"}, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &out}, app, h)
	if code != 2 || !strings.Contains(out.String(), "there is no flag --demo") {
		t.Errorf("%d: %s", code, &out)
	}
}

func TestStopWaitsOnlyAsLongAsItWasTold(t *testing.T) {
	h, ctx := newHost(t), within(t)
	in := h.run("shop")
	hold, cancel := context.WithCancel(ctx)
	defer cancel()
	// A request that runs keeps the process from going.
	h.groups.Go("reload", func(context.Context) {
		ctl.New(in.Socket).Reload(hold, ctl.ReloadRequest{Names: []string{"web"}})
	})
	eventually(t, ctx, "a reload runs", func() bool {
		in.master.mu.Lock()
		defer in.master.mu.Unlock()
		return len(in.master.asked) == 1
	})
	a := h.main(ctx, "stop", "--timeout", "30ms")
	if a.code != 4 || a.err != "error: cannot stop shop: timed out: it goes on without you\n" {
		t.Errorf("%+v", a)
	}
	// Its control socket is closed now, the process is still there.
	out, ended := h.background(ctx, "stop", "--name", "shop")
	eventually(t, ctx, "both stops wait", func() bool { return h.waits.Load() == 2 })
	cancel()
	if code := wait(t, ctx, ended); code != 0 || !strings.Contains(out.String(), "shop has stopped") {
		t.Errorf("%d: %s", code, out)
	}
}

func TestAHeldInstanceThatDoesNotAnswerIsNotCalledStopped(t *testing.T) {
	h, ctx := newHost(t), within(t)
	in := &instance{Instance: h.at("shop"), master: newMaster("shop"), gone: make(chan struct{})}
	in.Pid = 4711
	h.up = append(h.up, in)
	defer func() { h.up = nil }()
	a := h.main(ctx, "status")
	if a.code != 1 || !strings.Contains(a.err, "process 4711 holds it but does not answer on DIR/shop.sock") {
		t.Errorf("%+v", a)
	}
}

func TestAMasterThatHangsIsGivenUp(t *testing.T) {
	h, ctx := newHost(t), within(t)
	ln, err := net.Listen("unix", h.at("shop").Socket) // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	a := h.main(ctx, "reload", "--name", "shop", "--timeout", "30ms")
	if a.code != 4 {
		t.Errorf("%+v", a)
	}
}

func TestFollowersGoOnOverAReload(t *testing.T) {
	for _, verb := range [][]string{{"logs", "-f", "-n", "1"}, {"events", "--since", "1"}} {
		t.Run(verb[0], func(t *testing.T) {
			h, ctx := newHost(t), within(t)
			in := h.run("shop")
			follow, leave := context.WithCancel(ctx)
			out, ended := h.background(follow, verb...)
			until(t, ctx, out, "web is serving")
			for i := range 3 {
				replace(t, h, in)
				text := fmt.Sprintf("after reload %d", i)
				in.master.say("note", "math", text)
				until(t, ctx, out, text)
			}
			leave()
			if code := wait(t, ctx, ended); code != 0 {
				t.Errorf("ended with %d: %s", code, out)
			}
			if n := strings.Count(out.String(), "\n"); n != 4 {
				t.Errorf("%d lines, want 4:\n%s", n, out)
			}
		})
	}
}

// replace puts another server behind the socket, as a reload in single mode does.
func replace(t *testing.T, h *host, in *instance) {
	t.Helper()
	old := in.server
	in.server = ctl.NewServer(in.master, ctl.Config{})
	ln := in.dup(t)
	server := in.server
	h.groups.Go("ctl", func(context.Context) { defer ln.Close(); server.Serve(ln) })
	if err := old.Shutdown(within(t)); err != nil {
		t.Fatal(err)
	}
}

func TestFollowersEndWithTheInstance(t *testing.T) {
	h, ctx := newHost(t), within(t)
	in := h.run("shop")
	out, ended := h.background(ctx, "events")
	if err := in.master.untilFollowing(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if a := h.main(ctx, "stop"); a.code != 0 {
		t.Errorf("stop: %+v", a)
	}
	if code := wait(t, ctx, ended); code != 3 {
		t.Errorf("ended with %d: %s", code, out)
	}
}

// TestLogsSinceATimeAreNotCounted: 50 lines are for those who say nothing.
func TestLogsSinceATimeAreNotCounted(t *testing.T) {
	h, ctx := newHost(t), within(t)
	m := h.run("shop").master
	m.mu.Lock()
	for n, age := range []time.Duration{27 * time.Hour, 25 * time.Hour, time.Minute} {
		for range 40 {
			m.events = append(m.events, ctl.Event{}) // there is one for each line
			m.lines = append(m.lines, ctl.LogLine{Offset: int64(len(m.lines)), Time: time.Now().Add(-age), Name: "web", Stream: "out", Text: fmt.Sprint("age ", n)})
		}
	}
	m.mu.Unlock()
	for line, want := range map[string]int{
		"logs": 50, "logs --since 1d2h": 80, "logs --since 1d": 40, "logs --since 1d2h -n 50": 50, "logs -n all --until 1d2h": 40,
	} {
		a := h.main(ctx, strings.Fields(line)...)
		if got := strings.Count(a.out, " age "); a.code != 0 || got != want {
			t.Errorf("%s: exit %d, %d lines, want %d", line, a.code, got, want)
		}
	}
}

func TestCompletionKnowsTheSandboxes(t *testing.T) {
	h, ctx := newHost(t), within(t)
	h.run("shop")
	for _, tt := range []struct {
		line []string
		want string
	}{
		{[]string{"restart", ""}, "math\tserving\nweb\tserving\nmailer\tfailed\n:4\n"},
		{[]string{"restart", "math", ""}, "web\tserving\nmailer\tfailed\n:4\n"},
		{[]string{"status", "math", ""}, ":4\n"},
		{[]string{"loglevel", "math", ""}, "debug\ninfo\nwarn\nerror\n:4\n"},
		{[]string{"status", "--output", ""}, "table\njson\n:4\n"},
		{[]string{"--name", "nobody", "restart", ""}, ":4\n"},
	} {
		a := h.main(ctx, append([]string{"__complete"}, tt.line...)...)
		if a.code != 0 || a.out != tt.want {
			t.Errorf("%q: %d, %q, want %q", tt.line, a.code, a.out, tt.want)
		}
	}
	if a := h.main(ctx, "completion", "bash"); !strings.Contains(a.out, "__complete") {
		t.Errorf("no script: %.200s", a.out)
	}
}

func TestCompletionKnowsThePrograms(t *testing.T) {
	h, ctx := newHost(t), within(t)
	h.run("shop").master.withPrograms()
	all := "nginx\tready\njobs\tbackoff\nmail-relay\tfatal\ncache\tstopped\nmigrate\texited\n"
	boxes := "math\tserving\nweb\tserving\nmailer\tfailed\n"
	for _, tt := range []struct {
		line string
		want string
	}{
		{"restart", boxes + all + ":4\n"},
		{"start math web mailer jobs", "nginx\tready\nmail-relay\tfatal\ncache\tstopped\nmigrate\texited\n:4\n"},
		{"status", boxes + all + ":4\n"},
		{"inspect nginx", ":4\n"},
		{"reset", all + ":4\n"},
		{"loglevel", boxes + ":4\n"},
		{"signal", all + ":4\n"},
		{"scale nginx=2 jobs=1", "mail-relay=\tfatal\ncache=\tstopped\nmigrate=\texited\n:6\n"},
		{"upgrade", ":4\n"},
		{"unit", ":4\n"},
	} {
		a := h.main(ctx, append(append([]string{"__complete"}, strings.Fields(tt.line)...), "")...)
		if a.code != 0 || a.out != tt.want {
			t.Errorf("%s: %d, %q, want %q", tt.line, a.code, a.out, tt.want)
		}
	}
	if a := h.main(ctx, "__complete", "signal", "nginx", ""); !strings.HasPrefix(a.out, "jobs\tbackoff\n") || !strings.Contains(a.out, "\nHUP\n") || strings.Contains(a.out, "nginx") {
		t.Errorf("%+v", a)
	}
}

func TestGoRunReloadsFromTheCommandItself(t *testing.T) {
	h, ctx := newHost(t), within(t)
	in := h.run("shop")
	in.master.build.Path = "/tmp/go-build1234/b001/exe/shop"
	if a := h.main(ctx, "reload"); a.code != 0 {
		t.Errorf("%+v", a)
	}
	if got := in.master.asked[0].Binary; got != h.build.Path {
		t.Errorf("asked for %q, want %q", got, h.build.Path)
	}
}

func TestMainMayRunConcurrently(t *testing.T) {
	h, ctx := newHost(t), within(t)
	h.run("shop")
	g := group.New(ctx, nil)
	for range 20 {
		g.Go("status", func(ctx context.Context) {
			if a := h.main(ctx, "status", "-v"); a.code != 0 {
				t.Errorf("%+v", a)
			}
		})
	}
	if err := g.Wait(ctx); err != nil {
		t.Error(err)
	}
}
