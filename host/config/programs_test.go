package config_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dserver/dserver/host/config"
)

// TestProgramInThreeLines: what nobody says is filled in.
func TestProgramInThreeLines(t *testing.T) {
	dir := tree(t, "dserver.toml", "[program.shell]\ncommand = \"/bin/sh -c 'sleep 1'\"")
	c := mustLoad(t, config.Options{Dir: dir})
	got, ok := c.Program("shell")
	want := config.Program{
		Name: "shell", Command: []string{"/bin/sh", "-c", "sleep 1"}, Instances: 1, Autostart: true,
		Ready: config.Probe{Kind: config.ProbeStarted}, StartTimeout: time.Minute,
		Live: config.Liveness{Probe: config.Probe{Kind: config.ProbeStarted}, Interval: 10 * time.Second,
			Timeout: 3 * time.Second, Failures: 3, Action: config.ReloadRestart},
		Reload: config.ReloadRestart, Batch: 1, Stop: []config.StopStep{{Signal: "TERM", Wait: 10 * time.Second}},
		Process: config.Process{Dir: dir, Umask: -1, Inherit: []string{"*"}},
		Keep: config.Keep{Restart: config.RestartOnFailure, ExitCodes: []int{0}, BackoffMin: 100 * time.Millisecond,
			BackoffMax: 30 * time.Second, Stable: 10 * time.Second, StartLimit: 8, StartWindow: time.Minute},
		Recycle: config.Recycle{Jitter: 0.1},
		Output:  config.Output{To: config.OutputFile, Format: config.FormatText, MaxSize: 64 << 20, Keep: 5, Compress: true},
	}
	if !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("warnings %q", c.Warnings)
	}
}

// TestNothingIsSharedByDefaults: completing one program leaves the others alone.
func TestNothingIsSharedByDefaults(t *testing.T) {
	dir := tree(t, "dserver.toml", "stop_timeout='3s'\n[program.a]\ncommand='/bin/sh'\n[program.b]\ncommand='/bin/sh'\nstop='INT'\n[program.c]\ncommand='/bin/sh'\nlisten='tcp://:1'")
	c := mustLoad(t, config.Options{Dir: dir})
	for i, want := range []config.StopStep{{Signal: "TERM", Wait: 3 * time.Second}, {Signal: "INT", Wait: 3 * time.Second}, {Signal: "TERM", Wait: 3 * time.Second}} {
		if got := c.Programs[i].Stop; len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("%s stops by %v, want %v", c.Programs[i].Name, got, want)
		}
	}
	c.Programs[0].Stop[0].Signal, c.Programs[0].Keep.ExitCodes[0], c.Programs[0].Process.Inherit[0] = "KILL", 9, "PATH"
	again := mustLoad(t, config.Options{Dir: dir})
	if again.Programs[0].Stop[0].Signal != "TERM" || again.Programs[0].Keep.ExitCodes[0] != 0 || again.Programs[0].Process.Inherit[0] != "*" {
		t.Errorf("a default was changed: %+v", again.Programs[0])
	}
	if a, b := c.Programs[0].Reload, c.Programs[2].Reload; a != config.ReloadRestart || b != config.ReloadReplace {
		t.Errorf("reload is %s without sockets and %s with them", a, b)
	}
}

// TestProgramsInEachFormat reads the same programs written in each format.
func TestProgramsInEachFormat(t *testing.T) {
	dir := workshop(t)
	texts := map[string]string{
		".toml": `
[program.web]
command = ["./bin/tool", "a b", "c"]
instances = 2
autostart = false
needs = { db = "completed" }
listen = ["tcp://127.0.0.1:80", "unix://w.sock"]
stop = ["INT 5s", "TERM"]
exit_codes = [0, 3]
jitter = 0.5
cpu = 2
groups = ["54322", "54321"]
env = { A = "x", PORT = "80" }
rlimits = { nofile = 100, core = "unlimited" }
[program.db]
command = "./bin/tool"
`,
		".yaml": `
program:
  web: {command: ["./bin/tool", "a b", c], instances: 2, autostart: false, needs: {db: completed},
    listen: ["tcp://127.0.0.1:80", "unix://w.sock"], stop: ["INT 5s", "TERM"], exit_codes: [0, 3], jitter: 0.5, cpu: 2.0,
    groups: [54322, 54321], env: {A: x, PORT: 80}, rlimits: {nofile: 100, core: unlimited}}
  db: {command: ./bin/tool}
`,
		".json": `{"program": {
"web": {"command": ["./bin/tool", "a b", "c"], "instances": 2.0, "autostart": false, "needs": {"db": "completed"},
"listen": ["tcp://127.0.0.1:80", "unix://w.sock"], "stop": ["INT 5s", "TERM"], "exit_codes": [3, 0], "jitter": 0.5, "cpu": 2,
"groups": [54322, "54321"], "env": {"A": "x", "PORT": 80}, "rlimits": {"nofile": 100, "core": "unlimited"}},
"db": {"command": "./bin/tool"}}}`,
		".ini": `
[program.web]
command = ./bin/tool 'a b' c
instances = 2
autostart = false
listen = tcp://127.0.0.1:80, unix://w.sock
stop = INT 5s, TERM
exit_codes = 0, 3
jitter = 0.5
cpu = 2
groups = 54322, 54321
[program.web.needs]
db = completed
[program.web.env]
A = x
PORT = 80
[program.web.rlimits]
nofile = 100
core = unlimited
[program.db]
command = ./bin/tool
`,
	}
	hashes := make(map[string]string)
	for ext, text := range texts {
		file := filepath.Join(dir, "f"+ext)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := load(t, config.AsRoot(config.Options{File: file}))
		if err != nil {
			t.Errorf("%s: %v", ext, err)
			continue
		}
		if ext == ".yaml" { // its parser does not tell the order
			slices.SortFunc(c.Programs, func(a, b config.Program) int { return strings.Compare(b.Name, a.Name) })
		}
		hashes[c.Hash()] += ext
	}
	if len(hashes) != 1 {
		t.Errorf("these differ: %v", hashes)
	}
}

// TestDropIns: a program can come in a file of its own, which lies beside others.
// Its paths are relative to the main file's folder, whatever folder it is in.
func TestDropIns(t *testing.T) {
	dir := workshop(t)
	for name, text := range map[string]string{
		"dserver.toml":       "include = ['conf.d/*.toml']\n[group.back]\n",
		"conf.d/10-db.toml":  "[program.db]\ncommand = './bin/tool'\ngroup = 'back'\n",
		"conf.d/20-web.toml": "[program.web]\ncommand = './bin/other'\nneeds = ['db']\n",
		"conf.d/30-env.toml": "[program.web.env]\nA = '1'\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := mustLoad(t, config.Options{Dir: dir})
	var got []string
	for _, p := range c.Programs {
		got = append(got, p.Name+" "+strings.TrimPrefix(p.Command[0], dir)+" "+strings.TrimPrefix(p.Process.Dir, dir)+fmt.Sprint(p.Needs, p.Group, p.Process.Env))
	}
	if want := []string{"db /bin/tool []backmap[]", "web /bin/other [db=ready]map[A:1]"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(c.Files) != 4 {
		t.Errorf("files %q", c.Files)
	}
	if err := os.WriteFile(filepath.Join(dir, "conf.d/40-again.toml"), []byte("\n[program.db]\nrestart = 'no'\ncommand = 'x'\n[group.back]\nstrategy='no'"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantErrors(t, config.Options{Dir: dir}, dir,
		"DIR/conf.d/40-again.toml:4: program.db.command: is set already at DIR/conf.d/10-db.toml:2",
		`DIR/conf.d/40-again.toml:6: group.back.strategy = "no": must be one, rest or all`)
}

func TestVariablesOfPrograms(t *testing.T) {
	dir := workshop(t)
	if err := os.WriteFile(filepath.Join(dir, "dserver.toml"), []byte("[program.my-web]\ncommand='./bin/tool'\nenv={Mixed_Case='1'}\n[program.my-db]\ncommand='./bin/tool'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := mustLoad(t, config.Options{Dir: dir, Environ: []string{
		"DSERVER_PROGRAM__MY_WEB__COMMAND=./bin/other 'a b' c,d",
		"DSERVER_PROGRAM__MY_WEB__INSTANCES=3",
		"DSERVER_PROGRAM__MY_WEB__ESSENTIAL=true",
		"DSERVER_PROGRAM__MY_WEB__NEEDS__MY_DB=started",
		"DSERVER_PROGRAM__MY_WEB__ENV__DB_HOST=example",
		"DSERVER_PROGRAM__MY_WEB__ENV__MIXED_CASE=2",
		"DSERVER_PROGRAM__MY_WEB__RLIMITS__NOFILE=100:200",
		"DSERVER_PROGRAM__MY_WEB__STOP=INT 1s,TERM",
		"DSERVER_PROGRAM__MY_WEB__EXIT_CODES=2,0",
		"DSERVER_PROGRAM__MY_WEB__MEMORY=64MiB",
		"DSERVER_PROGRAM__MY_WEB__CPU=0.5",
		"DSERVER_PROGRAM__MY_WEB__SECRETS__TOKEN=secret",
		"DSERVER_PROGRAM__EXTRA__COMMAND=./bin/tool",
		"DSERVER_GROUP__MY_GROUP__STRATEGY=all",
		"DSERVER_PROGRAM__EXTRA__GROUP=my-group",
	}})
	p, _ := c.Program("my-web")
	extra, ok := c.Program("extra")
	if !slices.Equal(p.Command, []string{dir + "/bin/other", "a b", "c,d"}) || p.Instances != 3 || !p.Essential ||
		!slices.Equal(p.Needs, []config.Need{{Name: "my-db", Condition: config.NeedStarted}}) ||
		len(p.Stop) != 2 || !slices.Equal(p.Keep.ExitCodes, []int{0, 2}) || p.Process.Memory != 64<<20 || p.Process.CPU != 0.5 ||
		!ok || extra.Group != "my-group" || c.Groups[0].Strategy != config.StrategyAll {
		t.Errorf("got %+v, %+v", p, c.Groups)
	}
	if e := p.Process.Env; e["DB_HOST"] != "example" || e["Mixed_Case"] != "2" || len(e) != 2 || p.Process.Secrets["TOKEN"] != dir+"/secret" {
		t.Errorf("env %v, secrets %v", e, p.Process.Secrets)
	}
	if l := p.Process.Rlimits; len(l) != 1 || l[0].String() != "nofile=100:200" {
		t.Errorf("rlimits %v", l)
	}
	wantErrors(t, config.Options{Dir: dir, Environ: []string{
		"DSERVER_PROGRAM__MY_WEB__INSTANCE=3", "DSERVER_PROGRAM__NEW__INSTANCES=3", "DSERVER_PROGRAM__MY_WEB__NEEDS=nobody"}}, dir,
		"environment variable DSERVER_PROGRAM__MY_WEB__INSTANCE: program.my-web.instance: unknown key; did you mean instances?",
		`environment variable DSERVER_PROGRAM__MY_WEB__NEEDS: program.my-web.needs = "nobody": there is no program and no worker nobody`,
		"environment variable DSERVER_PROGRAM__NEW__INSTANCES: program.new: command is missing")
}

// TestSingleMode: what concerns workers has no effect there, but for what would be
// dangerous to leave out.
func TestSingleMode(t *testing.T) {
	const text = `
mode = "single"
[sandbox.a]
worker = "calc"
[worker.calc]
instances = 2
memory = "64MiB"
needs = ["db"]
cpu = 0.5
[sandbox.b]
[worker.b]
nice = 5
[program.db]
command = "/bin/sh"
memory = "64MiB"
nice = 5
`
	dir := tree(t, "dserver.toml", text)
	c := mustLoad(t, config.AsUser(config.Options{Dir: dir}))
	if want := []string{`worker calc: instances = 2, memory = "64MiB" and cpu = 0.5 have no effect in single mode`,
		"worker b: nice = 5 has no effect in single mode"}; !slices.Equal(c.Warnings, want) {
		t.Errorf("warnings %q, want %q", c.Warnings, want)
	}
	if c := mustLoad(t, config.AsUser(config.Options{Dir: dir, Flags: config.Flags{Mode: "multi"}})); len(c.Warnings) > 0 {
		t.Errorf("in multi mode: %q", c.Warnings)
	}
	dir = tree(t, "dserver.toml", text+"[worker.calc.env]\nA='1'\n[app.x]\ncommand='/bin/sh'")
	wantErrors(t, config.Options{Dir: dir}, dir, "DIR/dserver.toml:19: app.x: an app runs in workers, and there are none in single mode")
	dir = tree(t, "dserver.toml", "mode='single'\n[sandbox.a]\n[worker.a]\nuser=54321\nprimary_group=54321")
	c = mustLoad(t, config.AsUser(config.Options{Dir: dir}))
	if len(c.Warnings) != 1 {
		t.Errorf("warnings %q", c.Warnings)
	}
	if _, err := load(t, config.AsRoot(config.Options{Dir: dir})); err == nil ||
		!strings.HasSuffix(err.Error(), ":4: worker.a.user = 54321: in single mode sandboxes run in the process of the master, as root") {
		t.Errorf("root: got %v", err)
	}
	if _, err := load(t, config.AsRoot(config.Options{Dir: dir, Flags: config.Flags{Mode: "multi"}})); err != nil {
		t.Errorf("root in multi mode: %v", err)
	}
}

// TestWhatRootMay: as root all of it is taken that an ordinary user is refused.
func TestWhatRootMay(t *testing.T) {
	dir := tree(t, "dserver.toml", `
[program.x]
command = "/bin/sh"
user = 1
primary_group = 2
groups = [4, 3, 4]
nice = -20
oom_score_adj = -1000
rlimits = { nproc = "unlimited", nofile = 1048576 }
`)
	c, err := load(t, config.AsRoot(config.Options{Dir: dir}))
	if err != nil {
		t.Fatal(err)
	}
	id := c.Programs[0].Process.Identity
	if id == nil || id.UID != 1 || id.GID != 2 || !slices.Equal(id.Groups, []int{3, 4}) {
		t.Errorf("identity %v", id)
	}
	_, err = load(t, config.AsUser(config.Options{Dir: dir}))
	if err == nil || strings.Count(err.Error(), "only root may") != 5 {
		t.Errorf("an ordinary user: %v", err)
	}
}

func TestIdentityOfRoot(t *testing.T) {
	dir := tree(t, "dserver.toml", "[program.x]\ncommand='/bin/sh'\nuser='root'\n[program.y]\ncommand='/bin/sh'\nuser=0\ngroups=[]\n[program.z]\ncommand='/bin/sh'\n")
	c, err := load(t, config.AsRoot(config.Options{Dir: dir}))
	if err != nil {
		t.Fatal(err)
	}
	x, y, z := c.Programs[0].Process.Identity, c.Programs[1].Process.Identity, c.Programs[2].Process.Identity
	if x == nil || x.UID != 0 || x.GID != 0 || x.Name != "root" || x.Home == "" || !slices.Contains(x.Groups, 0) {
		t.Errorf("root is %v", x)
	}
	if y == nil || y.UID != 0 || y.Name != "root" || len(y.Groups) != 0 || z != nil {
		t.Errorf("0 is %v, nobody %v", y, z)
	}
}

func TestResolveOfPrograms(t *testing.T) {
	dir := tree(t, "dserver.toml", `
[program.web]
command = "/bin/sh"
listen = { http = "tcp://127.0.0.1:80", admin = "unix://sub/a.sock" }
ready = "unix://own.sock"
live = "unix:///run/own.sock"
`)
	c := mustLoad(t, config.Options{Dir: dir})
	r, err := c.Resolve("/run/dserver/shop")
	if err != nil {
		t.Fatal(err)
	}
	p := r.Programs[0]
	if p.Listen[1].Address != "/run/dserver/shop/sub/a.sock" || p.Ready.Address != "/run/dserver/shop/own.sock" || p.Live.Probe.Address != "/run/own.sock" {
		t.Errorf("got %v, %v, %v", p.Listen, p.Ready, p.Live.Probe)
	}
	if old := c.Programs[0]; old.Listen[1].Address != "sub/a.sock" || old.Ready.Address != "own.sock" {
		t.Errorf("the original has changed: %v, %v", old.Listen, old.Ready)
	}
	if _, err := c.Resolve("/" + strings.Repeat("x", 110)); err == nil || strings.Count(err.Error(), "\n") != 1 ||
		!strings.Contains(err.Error(), "dserver.toml:4: program.web.listen.admin") || !strings.Contains(err.Error(), "dserver.toml:5: program.web.ready") {
		t.Errorf("too long: %v", err)
	}
	dir = tree(t, "dserver.toml", "[sandbox.a]\nlisten='unix:///run/x/a.sock'\n[program.web]\ncommand='/bin/sh'\nlisten='unix://a.sock'\n[program.db]\ncommand='/bin/sh'\nready='unix://a.sock'\n[program.c]\ncommand='/bin/sh'\nready='unix:///run/x/a.sock'")
	wantErrors(t, config.Options{Dir: dir}, dir,
		`DIR/dserver.toml:8: program.db.ready = "unix://a.sock": the master holds this socket open for program.web.listen.0, so a connection can be made in any case: ask in another way, such as notify`,
		`DIR/dserver.toml:11: program.c.ready = "unix:///run/x/a.sock": the master holds this socket open for sandbox.a.listen.0, so a connection can be made in any case: ask in another way, such as notify`)
	dir = tree(t, "dserver.toml", "[sandbox.a]\nlisten='unix:///run/x/a.sock'\n[program.web]\ncommand='/bin/sh'\nlisten='unix://a.sock'\n[program.db]\ncommand='/bin/sh'\nready='unix:///run/x/b.sock'\n[sandbox.b]\nlisten='unix://b.sock'")
	_, err = mustLoad(t, config.Options{Dir: dir}).Resolve("/run/x")
	if err == nil || !strings.Contains(err.Error(), `program.web.listen.0 = "unix:///run/x/a.sock": the address is taken by sandbox.a.listen.0`) ||
		!strings.Contains(err.Error(), `dserver.toml:8: program.db.ready = "unix:///run/x/b.sock": the master holds`) {
		t.Errorf("got %v", err)
	}
}

// TestNameOf: the name is known whatever else is wrong.
func TestNameOf(t *testing.T) {
	dir := tree(t, "dserver.toml", "name = 'shop'\nzzz = 1\n[program.x]\ncommand = 'no-such-thing'\n[sandbox.a]\nlisten = 'tcp://nowhere:1'", "bad.toml", "name =", "worse.toml", "name = 'A'\nx=1")
	name, files, err := config.NameOf(config.Options{Dir: dir})
	if err != nil || name != "shop" || len(files) != 1 {
		t.Errorf("got %q, %q, %v", name, files, err)
	}
	if name, files, err := config.NameOf(config.Options{Dir: t.TempDir(), Name: "other"}); err != nil || name != "other" || len(files) != 0 {
		t.Errorf("without a file: got %q, %q, %v", name, files, err)
	}
	if name, _, err := config.NameOf(config.Options{Dir: dir, Environ: []string{"DSERVER_NAME=web"}}); err != nil || name != "web" {
		t.Errorf("by a variable: got %q, %v", name, err)
	}
	for file, want := range map[string]string{
		"bad.toml":   ":1: bad TOML: ",
		"worse.toml": `:1: name = "A": a name may only have a-z, 0-9 and -`,
		"none.toml":  ": cannot read it: no such file or directory",
	} {
		_, _, err := config.NameOf(config.Options{File: filepath.Join(dir, file)})
		if err == nil || !strings.HasPrefix(err.Error(), filepath.Join(dir, file)+want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestParseSignal(t *testing.T) {
	for name, want := range map[string]syscall.Signal{"TERM": syscall.SIGTERM, "SIGHUP": syscall.SIGHUP, "USR2": syscall.SIGUSR2,
		"RTMIN": 34, "SIGRTMIN+3": 37, "RTMIN+30": 64, "KILL": syscall.SIGKILL} {
		if got, err := config.ParseSignal(name); err != nil || got != want {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "SIG", "term", "9", "RTMIN+", "RTMIN-1", "RTMIN+31", "RTMIN3", "RTMINX", "TERM ", "RTMIN++1"} {
		if got, err := config.ParseSignal(name); err == nil {
			t.Errorf("%q was taken as %v", name, got)
		}
	}
	if signal, ok := config.Reload("signal:USR1").Signal(); !ok || signal != syscall.SIGUSR1 {
		t.Errorf("got %v, %v", signal, ok)
	}
	if _, ok := config.ReloadRestart.Signal(); ok {
		t.Error("restart is no signal")
	}
}

// TestManyPrograms: a thousand programs that need each other in a long row are read
// at once, and a ring of all of them is told in a line.
func TestManyPrograms(t *testing.T) {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, "[program.p%d]\ncommand='/bin/sh'\nneeds=['p%d']\nlisten='tcp://:%d'\n", i, i+1, i+1)
	}
	dir := tree(t, "dserver.toml", b.String()+"[program.p1000]\ncommand='/bin/sh'\n", "ring.toml", b.String()+"[program.p1000]\ncommand='/bin/sh'\nneeds=['p0']\n")
	start := time.Now()
	c := mustLoad(t, config.Options{Dir: dir})
	if len(c.Programs) != 1001 || len(config.Diff(c, c)) != 0 {
		t.Errorf("%d programs", len(c.Programs))
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	_, err := load(t, config.Options{File: filepath.Join(dir, "ring.toml")})
	if err == nil || strings.Contains(err.Error(), "\n") || len(err.Error()) > 700 || !strings.Contains(err.Error(), ":4003: program.p1000.needs") {
		t.Errorf("got %.300v", err)
	}
}

// TestConfigurationBesideAnApp: an app's own configuration is found beside its
// executable.
func TestConfigurationBesideAnApp(t *testing.T) {
	dir := workshop(t)
	if err := os.WriteFile(filepath.Join(dir, "dserver.toml"), []byte("[app.a]\ncommand = './bin/tool'\n[app.b]\ncommand = './bin/tool'\nconfig = 'a.toml'"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := mustLoad(t, config.Options{Dir: dir}); c.Apps[0].Config != "" || c.Apps[1].Config != dir+"/a.toml" {
		t.Errorf("got %+v", c.Apps)
	}
	if err := os.WriteFile(filepath.Join(dir, "bin", "dserver.yaml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if c := mustLoad(t, config.Options{Dir: dir}); c.Apps[0].Config != dir+"/bin/dserver.yaml" || c.Apps[0].Process.Dir != dir {
		t.Errorf("got %+v", c.Apps[0])
	}
}

// TestCommandsAreBounded: the kernel takes no longer words than these.
func TestCommandsAreBounded(t *testing.T) {
	dir := tree(t, "dserver.toml", "[program.a]\ncommand = ['/bin/sh', '"+strings.Repeat("x", 130<<10)+"']")
	_, err := load(t, config.Options{Dir: dir})
	if err == nil || !strings.HasSuffix(err.Error(), ": the command has more than 128KiB") || len(err.Error()) > 500 {
		t.Errorf("got %.600v", err)
	}
}

// Whether a program has changed is decided by its definition, also after it has
// been written down as JSON: where it stands in the file must not matter.
func TestResolvedProgramsAreTheSameWhereverTheyStand(t *testing.T) {
	const text = `
[program.web]
command = ["/bin/sh", "-c", "true"]
listen = { http = "tcp://127.0.0.1:80", admin = "unix://a.sock" }
ready = "unix://own.sock"
live = "unix://live.sock"
needs = { db = "started" }
env = { A = "1" }
inherit = []
groups = []
env_files = []
rlimits = { nofile = 10 }
stop = ["exec:/bin/sh 1s", "INT"]
pre_start = "/bin/sh"
[program.db]
command = "/bin/sh"
listen = []
needs = []
env = {}
`
	var resolved []*config.Config
	for _, moved := range []string{text, "# a line more" + text} {
		c, err := mustLoad(t, config.Options{Dir: tree(t, "dserver.toml", moved)}).Resolve("/run/dserver/shop")
		if err != nil {
			t.Fatal(err)
		}
		for i := range c.Programs {
			c.Programs[i].Process.Dir = "" // that of the file, which is another one
		}
		resolved = append(resolved, c)
	}
	if !reflect.DeepEqual(resolved[0].Programs, resolved[1].Programs) {
		t.Errorf("a line more makes a difference:\n%+v\n%+v", resolved[0].Programs, resolved[1].Programs)
	}
	encoded, err := json.Marshal(resolved[0].Programs)
	if err != nil {
		t.Fatal(err)
	}
	var again []config.Program
	if err := json.Unmarshal(encoded, &again); err != nil || !reflect.DeepEqual(again, resolved[0].Programs) {
		t.Errorf("%v: JSON makes a difference:\n%+v\n%+v", err, again, resolved[0].Programs)
	}
}
