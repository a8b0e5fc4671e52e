package ctl_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/ctl"
)

func TestProgramsAreToldWithTheDetailsAskedFor(t *testing.T) {
	_, c := start(t)
	ctx := within(t)
	for _, d := range []ctl.Detail{{}, {Usage: true}, {History: true}, {Usage: true, History: true}} {
		list, err := c.Programs(ctx, d)
		if err != nil || len(list) != 2 || list[1].Name != "jobs" {
			t.Fatalf("%+v: %+v, %v", d, list, err)
		}
		one, err := c.Program(ctx, "redis", d)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []ctl.Program{list[0], one} {
			in := p.Instances[0]
			if p.Name != "redis" || in.Pid != 12 || (in.Usage != nil) != d.Usage || (len(in.History) == 1) != d.History {
				t.Errorf("%+v: %+v", d, p)
			}
		}
	}
}

func TestProgramsAreActedOn(t *testing.T) {
	m, c := start(t)
	ctx := within(t)
	names := []string{"redis", "jobs"}
	if got, err := c.Signal(ctx, ctl.SignalRequest{Names: names, Signal: "SIGHUP"}); err != nil || len(got.Results) != 2 {
		t.Errorf("Signal: %+v, %v", got, err)
	}
	if got := strings.Join(m.signals, ","); got != "redis SIGHUP,jobs SIGHUP" {
		t.Errorf("sent: %s", got)
	}
	for _, n := range []int{0, 3, ctl.MaxInstances} {
		if got, err := c.Scale(ctx, ctl.ScaleRequest{Name: "redis", Instances: n}); err != nil || got.Results[0].Name != "redis" {
			t.Errorf("Scale: %+v, %v", got, err)
		}
		if p, err := c.Program(ctx, "redis", ctl.Detail{}); err != nil || len(p.Instances) != n || p.Instances == nil {
			t.Errorf("scaled to %d: %d instances, %v", n, len(p.Instances), err)
		}
	}
	if got, err := c.Reset(ctx, ctl.ActionRequest{Names: []string{"jobs"}}); err != nil || got.Results[0].State != "ready" {
		t.Errorf("Reset: %+v, %v", got, err)
	}
}

func TestWhatProgramsAreAskedIsChecked(t *testing.T) {
	m, path := newMaster(), socketPath(t)
	serve(t, listen(t, path), m, ctl.Config{})
	for _, tt := range []struct {
		method, path, body string
		status             int
		want               string // the body, or how it begins
	}{
		{"GET", "/v1/programs", "", 200, `[{"name":"redis","state":"ready","wanted":false,"command":[],"instances":[{"instance":1,`},
		{"GET", "/v1/programs/jobs", "", 200, `{"name":"jobs","state":"fatal","wanted":false,"command":[],"instances":[]}`},
		{"GET", "/v1/programs/jobs?usage=1&history=0", "", 200, `{"name":"jobs"`},
		{"GET", "/v1/programs/nobody", "", 404, `{"error":"cannot show program \"nobody\": there is no such program","code":"not_found","hint":"programs: redis, jobs"}`},
		{"GET", "/v1/programs?usage=yes", "", 400, `{"error":"cannot use usage=\"yes\": it must be 0 or 1"`},
		{"GET", "/v1/programs?history=-1", "", 400, `{"error":"cannot use history=`},
		{"GET", "/v1/programs?name=redis", "", 400, `{"error":"cannot answer /v1/programs: unknown parameter name"`},
		{"GET", "/v1/signal", "", 405, `{"error":"cannot GET /v1/signal: it takes POST"`},

		{"POST", "/v1/signal", `{"names":["redis"],"signal":"1"}`, 200, `{"results":[{"name":"redis","state":"ready"}]}`},
		{"POST", "/v1/signal", `{"names":["redis"],"signal":"RTMIN+3"}`, 200, `{"results":[{"name":"redis"`},
		{"POST", "/v1/signal", `{"names":["redis"],"signal":"HUPP"}`, 400, `{"error":"cannot use \"HUPP\" as a signal: there is none of that name"`},
		{"POST", "/v1/signal", `{"names":["redis"],"signal":"0"}`, 400, `{"error":"cannot use \"0\" as a signal: a number must be from 1 to 64"`},
		{"POST", "/v1/signal", `{"names":["redis"]}`, 400, `{"error":"cannot use \"\" as a signal`},
		{"POST", "/v1/signal", `{"names":["redis",""],"signal":"HUP"}`, 400, `{"error":"cannot signal nothing`},
		{"POST", "/v1/signal", ``, 400, `{"error":"cannot signal nothing`},
		{"POST", "/v1/signal", `{"names":["nobody"],"signal":"HUP"}`, 404, `{"error":"cannot find program \"nobody\": not found"`},

		{"POST", "/v1/scale", `{"name":"redis","instances":-1}`, 400, `{"error":"cannot scale redis to -1 instances: it must be a number from 0 to 1024"`},
		{"POST", "/v1/scale", `{"name":"redis","instances":1025}`, 400, `{"error":"cannot scale redis to 1025 instances`},
		{"POST", "/v1/scale", `{"name":"redis","instances":1e99}`, 400, `{"error":"cannot read the body of /v1/scale: json: cannot unmarshal`},
		{"POST", "/v1/scale", `{"name":"redis","instances":"2"}`, 400, `{"error":"cannot read the body of /v1/scale: json: cannot unmarshal`},
		{"POST", "/v1/scale", `{"name":"redis"}`, 400, `{"error":"cannot scale that: name and instances must be given"`},
		{"POST", "/v1/scale", `{"instances":2}`, 400, `{"error":"cannot scale that`},
		{"POST", "/v1/scale", ``, 400, `{"error":"cannot scale that`},
		{"POST", "/v1/scale", `{"name":"nobody","instances":2}`, 404, `{"error":"cannot find program \"nobody\": not found"`},

		{"POST", "/v1/reset", ``, 400, `{"error":"cannot do that to nothing`},
		{"POST", "/v1/reset", `{"names":["jobs"],"level":"debug"}`, 400, `{"error":"cannot use drain or level here`},
		{"POST", "/v1/reset", `{"names":["nobody"]}`, 404, `{"error":"cannot find program`},

		{"POST", "/v1/upgrade", ``, 422, `{"error":"cannot upgrade: this master cannot","code":"refused"}`},
		{"POST", "/v1/upgrade", `{"id":-1}`, 400, `{"error":"cannot upgrade: id and resume must not be negative"`},
		{"POST", "/v1/upgrade", `{"resume":-1}`, 400, `{"error":"cannot upgrade: id and resume`},
		{"POST", "/v1/upgrade", `{"resume":1,"binary":"/bin/sh"}`, 400, `{"error":"cannot upgrade: resume asks for an outcome, it stands alone"`},
		{"POST", "/v1/upgrade", `{"build":"x"}`, 400, `{"error":"cannot read the body of /v1/upgrade: json: unknown field`},
	} {
		res, body := curl(t, within(t), path, tt.method, tt.path, tt.body)
		if res.StatusCode != tt.status || !strings.HasPrefix(body, tt.want) || !json.Valid([]byte(body)) {
			t.Errorf("%s %s %s:\n%d %s", tt.method, tt.path, tt.body, res.StatusCode, body)
		}
	}
}

func TestWhereThereIsNothingNothingIsHinted(t *testing.T) {
	m, path := newMaster(), socketPath(t)
	m.sandboxes, m.programs = nil, nil
	serve(t, listen(t, path), m, ctl.Config{})
	for _, kind := range []string{"sandbox", "program"} {
		plural := map[string]string{"sandbox": "sandboxes", "program": "programs"}[kind]
		res, body := curl(t, within(t), path, "GET", "/v1/"+plural+"/x", "")
		want := fmt.Sprintf("{\"error\":\"cannot show %[1]s \\\"x\\\": there is no such %[1]s\",\"code\":\"not_found\"}", kind)
		if res.StatusCode != 404 || strings.TrimSpace(body) != want {
			t.Errorf("%d %s", res.StatusCode, body)
		}
	}
}

// putOff is a master that is about to become another program for a while.
type putOff struct {
	*master
	times chan struct{} // so often it puts off
}

func (p *putOff) Signal(ctx context.Context, r ctl.SignalRequest) (ctl.ActionResult, error) {
	select {
	case <-p.times:
		return ctl.ActionResult{}, ctl.Problemf(ctl.ErrRetry, "cannot signal: another program is about to take over")
	default:
		return p.master.Signal(ctx, r)
	}
}

func (p *putOff) Logs(ctx context.Context, q ctl.LogQuery, emit func(ctl.LogLine) error) error {
	select {
	case <-p.times:
		return ctl.Problemf(ctl.ErrRetry, "cannot read the log: another program is about to take over")
	default:
		return p.master.Logs(ctx, q, emit)
	}
}

func TestWhatIsPutOffIsAskedAgain(t *testing.T) {
	p, path := &putOff{newMaster(), make(chan struct{}, 3)}, socketPath(t)
	serve(t, listen(t, path), p, ctl.Config{})
	p.say("hello")
	c, ctx := ctl.New(path), within(t)
	for range cap(p.times) {
		p.times <- struct{}{}
	}
	if _, err := c.Signal(ctx, ctl.SignalRequest{Names: []string{"redis"}, Signal: "HUP"}); err != nil || len(p.signals) != 1 {
		t.Errorf("sent %q, %v", p.signals, err)
	}
	p.times <- struct{}{}
	n := 0
	if err := c.Logs(ctx, ctl.LogQuery{Lines: 1}, func(ctl.LogLine) error { n++; return nil }); err != nil || n != 1 {
		t.Errorf("%d lines, %v", n, err)
	}
}

func TestWhatIsPutOffForTooLongEndsWithTheCaller(t *testing.T) {
	p, path := &putOff{newMaster(), make(chan struct{})}, socketPath(t)
	close(p.times)
	serve(t, listen(t, path), p, ctl.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 120*time.Millisecond)
	defer cancel()
	_, err := ctl.New(path).Signal(ctx, ctl.SignalRequest{Names: []string{"redis"}, Signal: "HUP"})
	if !errors.Is(err, ctl.ErrTimeout) {
		t.Errorf("got %v", err)
	}
}

// BenchmarkPrograms is the answer about 200 programs, with an instance each.
func BenchmarkPrograms(b *testing.B) {
	m, path := newMaster(), socketPath(b)
	m.programs = manyPrograms(200)
	serve(b, listen(b, path), m, ctl.Config{})
	c, ctx := ctl.New(path), context.Background()
	for b.Loop() {
		list, err := c.Programs(ctx, ctl.Detail{})
		if err != nil || len(list) != 200 {
			b.Fatalf("%d programs, %v", len(list), err)
		}
	}
}

func manyPrograms(n int) (list []ctl.Program) {
	for i := range n {
		list = append(list, ctl.Program{
			Name: fmt.Sprintf("program-%03d", i), State: "ready", Wanted: true,
			Command: []string{"/usr/bin/program", "--listen", "127.0.0.1:8080", "--verbose"},
			Instances: []ctl.ProgramInstance{{Instance: 1, Generation: 3, State: "ready", Pid: 10_000 + i,
				Since: time.Now(), Restarts: 2, Reason: "ready after 12ms", By: "policy"}},
		})
	}
	return list
}
