package config_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dserver/dserver/host/config"
)

// tree writes files into a new folder: name, content, name, content...
func tree(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(dir, files[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mustLoad(t *testing.T, o config.Options) *config.Config {
	t.Helper()
	c, err := load(t, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantErrors loads and compares the complaints, in which DIR stands for dir.
func wantErrors(t *testing.T, o config.Options, dir string, want ...string) {
	t.Helper()
	c, err := load(t, o)
	if err == nil {
		t.Fatalf("no error, got %+v", c)
	}
	var errs config.Errors
	if !errors.As(err, &errs) || len(errs) != strings.Count(err.Error(), "\n")+1 {
		t.Errorf("%T is not one error a line", err)
	}
	got := err.Error()
	if dir != "" {
		got = strings.ReplaceAll(got, dir, "DIR")
	}
	if got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func TestNoFileAtAllGivesDefaults(t *testing.T) {
	c := mustLoad(t, config.Options{Dir: t.TempDir()})
	if c.Name != "dserver" || c.Mode != config.Multi || len(c.Files)+len(c.Sandboxes)+len(c.Warnings) != 0 {
		t.Errorf("got %+v", c)
	}
	if got := string(c.Content()); got != `{"name":"dserver"}` {
		t.Errorf("content %s", got)
	}
}

func TestDefaultFileIsFoundInEachFormat(t *testing.T) {
	for name, text := range map[string]string{
		"dserver.toml": `name = "shop"`, "dserver.yaml": "name: shop", "dserver.yml": "name: shop",
		"dserver.json": `{"name": "shop"}`, "dserver.ini": "name = shop",
	} {
		dir := tree(t, name, text)
		c := mustLoad(t, config.Options{Dir: dir, Name: "other"})
		if c.Name != "shop" || !slices.Equal(c.Files, []string{filepath.Join(dir, name)}) {
			t.Errorf("%s: got %q from %q", name, c.Name, c.Files)
		}
	}
}

func TestTwoDefaultFilesAreRefused(t *testing.T) {
	dir := tree(t, "dserver.toml", "", "dserver.json", "{}")
	wantErrors(t, config.Options{Dir: dir}, dir,
		"DIR/dserver.toml: there is also DIR/dserver.json; keep one of them, or choose with -c")
	mustLoad(t, config.Options{Dir: dir, File: filepath.Join(dir, "dserver.json")})
}

func TestNamedFileMustBeReadable(t *testing.T) {
	dir := tree(t, "big.toml", strings.Repeat("#", 256<<10+1), "full.toml", strings.Repeat("#", 256<<10))
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo.toml"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"none.toml": "DIR/none.toml: cannot read it: no such file or directory",
		"big.toml":  "DIR/big.toml: cannot read it: it has more than 256KiB",
		"fifo.toml": "DIR/fifo.toml: cannot read it: it is not a regular file",
		"":          "DIR: cannot read it: it is not a regular file",
	} {
		wantErrors(t, config.Options{File: filepath.Join(dir, name)}, dir, want)
	}
	mustLoad(t, config.Options{File: filepath.Join(dir, "full.toml")})
	_, err := load(t, config.Options{File: filepath.Join(dir, "none.toml")})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
}

func TestLayersWinInOrder(t *testing.T) {
	dir := tree(t,
		"dserver.toml", "name='file'\nready_timeout='2s'\nprobation='2s'\ndrain_timeout='2s'\nstop_timeout='2s'\n",
		"dserver.dev.yaml", "probation: 3s\ndrain_timeout: 3s\nstop_timeout: 3s\n")
	c := mustLoad(t, config.Options{
		Dir: dir, Env: "dev", Name: "default",
		Builtin: "ready_timeout='1s'\nprobation='1s'\ndrain_timeout='1s'\nstop_timeout='1s'\n[log]\nkeep=1",
		Environ: []string{"DSERVER_DRAIN_TIMEOUT=4s", "DSERVER_STOP_TIMEOUT=4s", "DSERVER_NAME=env", "PATH=/bin"},
		Flags:   config.Flags{Name: "flag", Mode: "single", ReadyTimeout: 5 * time.Second},
	})
	got := []time.Duration{c.ReadyTimeout, c.Probation, c.DrainTimeout, c.StopTimeout, time.Duration(c.Log.Keep)}
	want := []time.Duration{5 * time.Second, 3 * time.Second, 4 * time.Second, 4 * time.Second, 1}
	if !slices.Equal(got, want) || c.Name != "flag" || c.Mode != config.Single || c.Log.Level != slog.LevelDebug {
		t.Errorf("got %v %s %s %v, want %v", got, c.Name, c.Mode, c.Log.Level, want)
	}
	if want := []string{filepath.Join(dir, "dserver.toml"), filepath.Join(dir, "dserver.dev.yaml")}; !slices.Equal(c.Files, want) {
		t.Errorf("read %q, want %q", c.Files, want)
	}
}

func TestEnvironments(t *testing.T) {
	dir := tree(t, "dserver.toml", "", "shop.toml", "", "shop.stage.toml", "name='stage'\ninclude='x'", "level.toml", "log.level='warn'")
	for env, want := range map[string]slog.Level{"dev": slog.LevelDebug, "test": slog.LevelInfo, "product": slog.LevelInfo} {
		if c := mustLoad(t, config.Options{Dir: dir, Env: env}); c.Log.Level != want {
			t.Errorf("%s logs from %v", env, c.Log.Level)
		}
		if c := mustLoad(t, config.Options{File: filepath.Join(dir, "level.toml"), Env: env}); c.Log.Level != slog.LevelWarn {
			t.Errorf("%s wins over the file: %v", env, c.Log.Level)
		}
	}
	wantErrors(t, config.Options{Dir: dir, Env: "prodcut"}, dir,
		"flag --env: there is no environment prodcut: DIR/dserver.prodcut.toml does not exist; did you mean product?")
	wantErrors(t, config.Options{Dir: dir, Env: "../x"}, dir, `flag --env: cannot use "../x": a name may only have a-z, 0-9 and -`)
	wantErrors(t, config.Options{File: filepath.Join(dir, "shop.toml"), Env: "stage"}, dir,
		"DIR/shop.stage.toml:2: include: only the main file may include others")
}

func TestOverlayReplacesListsAndMergesTables(t *testing.T) {
	dir := tree(t,
		"dserver.toml", "[sandbox.math]\nlisten=['tcp://:1','tcp://:2']\n[sandbox.math.config]\na=1\nb={c=1,d=2}\n",
		"dserver.x.toml", "[sandbox.math]\nlisten=['tcp://:3']\n[sandbox.math.config]\nb={d=3}\n")
	c := mustLoad(t, config.Options{Dir: dir, Env: "x"})
	s := c.Sandboxes[0]
	if len(s.Listen) != 1 || s.Listen[0].Address != ":3" {
		t.Errorf("listens %v", s.Listen)
	}
	b, _ := s.Config["b"].(map[string]any)
	if s.Config["a"] != int64(1) || b["c"] != int64(1) || b["d"] != int64(3) {
		t.Errorf("config %v", s.Config)
	}
}

func TestIncludes(t *testing.T) {
	dir := tree(t,
		"dserver.toml", "include = ['conf.d/*.toml', 'more.yaml', 'none/*.toml', 'conf.d/b.toml', '*.toml']\n[sandbox.math]\nready='none'",
		"conf.d/b.toml", "[sandbox.web]\nlisten='tcp://:2'", "conf.d/a.toml", "[sandbox.math]\nlisten='tcp://:1'",
		"conf.d/c.txt", "not read", "more.yaml", "sandbox: {my-svc: {level: warn}}")
	c := mustLoad(t, config.Options{Dir: dir, Sandboxes: app()})
	var files []string
	for _, f := range c.Files {
		files = append(files, strings.TrimPrefix(f, dir+"/"))
	}
	if want := []string{"dserver.toml", "conf.d/a.toml", "conf.d/b.toml", "more.yaml"}; !slices.Equal(files, want) {
		t.Errorf("read %q, want %q", files, want)
	}
	math, _ := c.Sandbox("math")
	svc, _ := c.Sandbox("my-svc")
	if math.Ready != config.ReadyNone || len(math.Listen) != 1 || svc.Level != slog.LevelWarn {
		t.Errorf("got %+v, %+v", math, svc)
	}
}

func TestBadIncludes(t *testing.T) {
	dir := tree(t,
		"dserver.toml", "include = ['a.toml', 'b.toml']\nname='shop'\n[log]\nkeep=1",
		"a.toml", "include=['b.toml']\nname='web'\n[log]\nkeep=2\nkep=3", "b.toml", "log=1",
		"c.toml", "include=['none.toml', '[x', 'bad.toml']\nzzz=1", "bad.toml", "\n=")
	wantErrors(t, config.Options{Dir: dir}, dir,
		"DIR/a.toml:1: include: only the main file may include others",
		"DIR/a.toml:2: name: is set already at DIR/dserver.toml:2",
		"DIR/a.toml:4: log.keep: is set already at DIR/dserver.toml:4",
		"DIR/a.toml:5: log.kep: unknown key; did you mean keep?",
		"DIR/b.toml:1: log: is set already at DIR/dserver.toml:3")
	wantErrors(t, config.Options{File: filepath.Join(dir, "c.toml")}, dir,
		`DIR/c.toml:1: include = ["none.toml", "[x", "bad.toml"]: the pattern is malformed: syntax error in pattern`,
		"DIR/none.toml: cannot read it: no such file or directory",
		"DIR/bad.toml:2: bad TOML: unexpected '=': key name appears blank")
}

func TestTooManyIncludes(t *testing.T) {
	dir := t.TempDir()
	for i := range 300 {
		if err := os.WriteFile(filepath.Join(dir, string(rune('a'+i%26))+strings.Repeat("x", i/26)+".toml"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	main := filepath.Join(dir, "main.toml")
	if err := os.WriteFile(main, []byte("include='*.toml'"), 0o644); err != nil {
		t.Fatal(err)
	}
	wantErrors(t, config.Options{File: main}, dir, `DIR/main.toml:1: include = "*.toml": includes more than 256 files`)
}

func TestEnvironmentVariables(t *testing.T) {
	dir := tree(t, "dserver.toml", "[sandbox.my-svc.config]\nmaxConns=1\nper-user={a_b=1}\n[sandbox.a-1]\n")
	c := mustLoad(t, config.Options{Dir: dir, Environ: []string{
		"DSERVER_MODE=single",
		"DSERVER_LOG__MAX_SIZE=1MiB",
		"DSERVER_LOG__KEEP=3",
		"DSERVER_SANDBOX__MY_SVC__LISTEN=tcp://:1, unix://a.sock",
		"DSERVER_SANDBOX__MY_SVC__RESTART=always",
		"DSERVER_SANDBOX__MY_SVC__WORKER=calc",
		"DSERVER_SANDBOX__A_1__LISTEN__WEB=tcp://:2",
		"DSERVER_WORKER__CALC__INSTANCES=4",
		"DSERVER_SANDBOX__MY_SVC__CONFIG__MAXCONNS=2",
		"DSERVER_SANDBOX__MY_SVC__CONFIG__PER_USER__A_B=2.5",
		"DSERVER_SANDBOX__MY_SVC__CONFIG__NEW_KEY=true",
		`DSERVER_SANDBOX__MY_SVC__CONFIG__LIST=["a", 1, {"b": null}]`,
		"DSERVER_SANDBOX__MY_SVC__CONFIG__TEXT=a,b",
		"DSERVER_SANDBOX__MY_SVC__CONFIG__BROKEN=[a",
		"DSERVER_SANDBOX__MY_SVC__CONFIG__EMPTY=",
		"DSERVER_SANDBOX__MY_SVC__CONFIG__EQUALS=a=b",
		"DSERVER_LOGGER__LEVEL=all",
		// These are not meant for us.
		"DSERVER_RUNTIME_DIR=/x", "DSERVER_SERVICE_HOST=10.0.0.1", "DSERVER_PORT=tcp://10.0.0.1:80",
		"DSERVER_PORT_80_TCP_ADDR=10.0.0.1", "dserver_mode=x", "MODE=x", "=x", "",
	}})
	svc, _ := c.Sandbox("my-svc")
	one, _ := c.Sandbox("a-1")
	calc, _ := c.Worker("calc")
	if c.Mode != config.Single || c.Log.MaxSize != 1<<20 || c.Log.Keep != 3 || svc.Restart != config.RestartAlways || calc.Instances != 4 {
		t.Errorf("got %+v", c)
	}
	if len(svc.Listen) != 2 || svc.Listen[0].Address != ":1" || svc.Listen[1].Address != "a.sock" {
		t.Errorf("listens %v", svc.Listen)
	}
	if len(one.Listen) != 1 || one.Listen[0].Name != "web" || one.Listen[0].Address != ":2" {
		t.Errorf("listens %v", one.Listen)
	}
	perUser, _ := svc.Config["per-user"].(map[string]any)
	list, _ := svc.Config["list"].([]any)
	if svc.Config["maxConns"] != int64(2) || perUser["a_b"] != 2.5 || svc.Config["new_key"] != true ||
		svc.Config["text"] != "a,b" || svc.Config["broken"] != "[a" || svc.Config["empty"] != "" ||
		svc.Config["equals"] != "a=b" || len(list) != 3 || len(svc.Config) != 8 {
		t.Errorf("config %v", svc.Config)
	}
}

func TestBadEnvironmentVariables(t *testing.T) {
	wantErrors(t, config.Options{Dir: t.TempDir(), Sandboxes: app(), Environ: []string{
		"DSERVER_SANDBOX__MATH__LISEN=tcp://:1",
		"DSERVER_SANDBOX__MAHT__LISTEN=tcp://:1",
		"DSERVER_SANDBOX__WEB=tcp://:1",
		"DSERVER_SANDBOX=x",
		"DSERVER_MDOE=single",
		"DSERVER_MODE=sngle",
		"DSERVER_LOG__KEEP=many",
		"DSERVER_LOG____KEEP=1",
		"DSERVER_INCLUDE=x",
		"DSERVER_X__Y=1",
		"DSERVER_",
	}}, "", strings.Split(strings.TrimSpace(`
environment variable DSERVER_: want DSERVER_PART__PART with at most 32 parts
environment variable DSERVER_INCLUDE: only the main file may include others
environment variable DSERVER_LOG__KEEP: log.keep = "many": must be a whole number from 0 to 1000
environment variable DSERVER_LOG____KEEP: want DSERVER_PART__PART with at most 32 parts
environment variable DSERVER_MDOE: mdoe: unknown key; did you mean DSERVER_MODE?
environment variable DSERVER_MODE: mode = "sngle": must be single or multi; did you mean single?
environment variable DSERVER_SANDBOX__MAHT__LISTEN: sandbox.maht: the application has no such sandbox, it has math, web, my-svc; did you mean math?
environment variable DSERVER_SANDBOX__MATH__LISEN: sandbox.math.lisen: unknown key; did you mean listen?
environment variable DSERVER_SANDBOX__WEB: sandbox.web = "tcp://:1": wrong type: want a table, not a text
environment variable DSERVER_X__Y: x: unknown key`), "\n")...)
	wantErrors(t, config.Options{Dir: t.TempDir(), Environ: []string{"DSERVER_SANDBOX=x"}}, "",
		`environment variable DSERVER_SANDBOX: sandbox = "x": wrong type: want a table of tables, not a text`)
}

func TestBadFlagsAndBadBuiltin(t *testing.T) {
	wantErrors(t, config.Options{Dir: t.TempDir(), Builtin: "nmae=1",
		Flags: config.Flags{Name: "A", Mode: "7", ReadyTimeout: -time.Second}}, "",
		"built-in configuration:1: nmae: unknown key; did you mean name?",
		`flag --name: name = "A": a name may only have a-z, 0-9 and -`,
		`flag --mode: mode = "7": must be single or multi`,
		`flag --timeout: ready_timeout = "-1s": must be from 1ms to 24h0m0s`)
	wantErrors(t, config.Options{Dir: t.TempDir(), Builtin: "="}, "",
		"built-in configuration:1: bad TOML: unexpected '=': key name appears blank")
	wantErrors(t, config.Options{Dir: t.TempDir(), Name: "My App"}, "",
		`application: name = "My App": a name may only have a-z, 0-9 and -`)
}

func TestOrderOfSandboxesAndWorkers(t *testing.T) {
	const text = "[sandbox.z]\n[sandbox.a]\nworker='w'\n[sandbox.m]\nworker='w'\n"
	dir := tree(t, "dserver.toml", text)
	order := func(c *config.Config) string {
		var b strings.Builder
		for _, s := range c.Sandboxes {
			b.WriteString(s.Name + " ")
		}
		for _, w := range c.Workers {
			b.WriteString(w.Name + "=" + strings.Join(w.Sandboxes, "+") + " ")
		}
		return b.String()
	}
	if got, want := order(mustLoad(t, config.Options{Dir: dir})), "z a m z=z w=a+m "; got != want {
		t.Errorf("left open: got %q, want %q", got, want)
	}
	known := []config.Known{{Name: "m", Worker: "x"}, {Name: "b", Worker: "w"}, {Name: "z"}, {Name: "a"}}
	if got, want := order(mustLoad(t, config.Options{Dir: dir, Sandboxes: known})), "m b z a w=m+b+a z=z "; got != want {
		t.Errorf("by the application: got %q, want %q", got, want)
	}
}

func TestManyErrorsAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range 3000 {
		b.WriteString("k" + strings.Repeat("x", i%50) + strings.Repeat("y", i/50) + " = 1\n")
	}
	dir := tree(t, "dserver.toml", b.String())
	_, err := load(t, config.Options{Dir: dir})
	var errs config.Errors
	if !errors.As(err, &errs) || len(errs) != 101 || errs[100].Reason != "2900 more errors" || errs[99].Line != 100 {
		t.Errorf("got %d errors, the last are %v, %v", len(errs), errs[99], errs[100])
	}
}

func TestHostLookupIsBounded(t *testing.T) {
	dir := tree(t, "dserver.toml", "[sandbox.a]\nlisten='tcp://slow:1'")
	ctx, cancel := context.WithCancel(t.Context())
	wait := func(ctx context.Context, _ string) ([]netip.Addr, error) {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("the lookup has no deadline")
		}
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	_, err := config.Load(ctx, config.Options{Dir: dir, Lookup: wait})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestSystemLookupKnowsLocalhost(t *testing.T) {
	dir := tree(t, "dserver.toml", "[sandbox.a]\nlisten='tcp4://localhost:1'")
	c, err := config.Load(t.Context(), config.Options{Dir: dir})
	if err != nil || c.Sandboxes[0].Listen[0].Address != "127.0.0.1:1" {
		t.Errorf("got %+v, %v", c, err)
	}
}
