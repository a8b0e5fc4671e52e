package config_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dserver/dserver/host/config"
)

const before = `
name = "shop"
ready_timeout = "60s"
[log]
level = "info"
[sandbox.math]
listen = ["tcp://127.0.0.1:9091"]
[sandbox.math.config]
rate = 5
secret = "one"
deep = { a = 1, b = 2 }
gone = 1
[sandbox.web]
listen = { public = "tcp://:8080" }
[sandbox.old]
[sandbox.last]
worker = "calc"
[worker.calc]
instances = 2
`

func TestDiffTellsWhatChanges(t *testing.T) {
	tests := []struct {
		name string
		edit []string // old and new text, in turns
		want string
	}{
		{"nothing", nil, ""},
		{"only how it is written", []string{`"60s"`, `"1m"`, `["tcp://127.0.0.1:9091"]`, `"tcp://localhost:9091"`}, ""},
		{"the instance", []string{`"shop"`, `"web"`, `"60s"`, `"30s"`, `level = "info"`, "level = \"debug\"\nmax_size='1MiB'\nkeep=0"}, `
name shop -> web
ready_timeout 1m0s -> 30s
log.level info -> debug
log.max_size 64MiB -> 1MiB
log.keep 5 -> 0
sandbox math: level info -> debug
sandbox web: level info -> debug
sandbox old: level info -> debug
sandbox last: level info -> debug`},
		{"sockets", []string{`127.0.0.1:9091"`, `127.0.0.1:9092", "unix://m.sock"`, `listen = { public = "tcp://:8080" }`, ""}, `
sandbox math: listen tcp://127.0.0.1:9091 -> tcp://127.0.0.1:9092, unix://m.sock
sandbox web: listen public=tcp://:8080 -> none`},
		{"a name of a socket", []string{"public =", "private ="}, `
sandbox web: listen public=tcp://:8080 -> private=tcp://:8080`},
		{"own tables", []string{"rate = 5", "rate = 6", "one", "two", "b = 2", "b = 3", "gone = 1", "new = 1"}, `
sandbox math: config.deep.b, config.gone, config.new, config.rate, config.secret changed`},
		{"new and gone", []string{"[sandbox.old]", "[sandbox.new]"}, `
sandbox new: new
sandbox old: removed
worker new: new
worker old: removed`},
		{"moved", []string{"[sandbox.old]", "[sandbox.old]\nworker='calc'\nrestart='no'\nready='none'"}, `
sandbox old: worker old -> calc
sandbox old: ready explicit -> none
sandbox old: restart on-failure -> no
worker calc: sandboxes last -> old, last
worker old: removed`},
		{"instances", []string{"instances = 2", "instances = 3"}, `
worker calc: instances 2 -> 3`},
		{"order", []string{"[sandbox.old]\n[sandbox.last]\nworker = \"calc\"", "[sandbox.last]\nworker = \"calc\"\n[sandbox.old]"}, `
start order math, web, old, last -> math, web, last, old`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			after := strings.NewReplacer(test.edit...).Replace(before)
			if len(test.edit) > 0 && after == before {
				t.Fatal("the edit changes nothing")
			}
			old := mustLoad(t, config.Options{Dir: tree(t, "dserver.toml", before)})
			next := mustLoad(t, config.Options{Dir: tree(t, "dserver.toml", after)})
			got := config.Diff(old, next)
			if want := strings.TrimSpace(test.want); strings.Join(got, "\n") != want {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
			}
			if same := old.Hash() == next.Hash(); same != (test.want == "") {
				t.Errorf("equal hashes: %v", same)
			}
			if strings.Contains(strings.Join(got, "\n"), "two") {
				t.Error("the diff gives a secret away")
			}
		})
	}
}

func TestHashIsStable(t *testing.T) {
	c := mustLoad(t, config.Options{Dir: tree(t, "dserver.toml", before)})
	if got, want := c.Hash(), "786ffa7dde77fefdaf99b89eadaebbd2862b7136c0eb8ea1433e7b3b531ec7b4"; got != want {
		t.Errorf("got %s, want %s: does an equal configuration still hash the same in the next build?", got, want)
	}
}

// TestConfigTravels: a master hands its configuration to its successor as JSON.
func TestConfigTravels(t *testing.T) {
	dir := tree(t, "dserver.toml", before+"[sandbox.numbers.config]\nwhole=5.0\nbig=9007199254740993\nlist=[1,{a=2.5}]\nwhen=07:32:00\nday=1979-05-27T07:32:00\n")
	c := mustLoad(t, config.Options{Dir: dir})
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var got config.Config
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Hash() != c.Hash() || len(config.Diff(&got, c)) != 0 {
		t.Errorf("it differs on arrival: %q", config.Diff(&got, c))
	}
	s, _ := got.Sandbox("numbers")
	if s.Config["big"] != int64(9007199254740993) || s.Config["when"] != "07:32:00" || s.Config["day"] != "1979-05-27T07:32:00" {
		t.Errorf("got %v", s.Config)
	}
	if old, ok := got.Sandbox("old"); !ok || old.Config == nil {
		t.Errorf("got %+v", old)
	}
	for _, bad := range []string{`{"Sandboxes":[{"Config":{"a":1e999}}]}`, `{"Sandboxes":[{"Config":1}]}`, `{"Sandboxes":[{"Name":1}]}`} {
		if err := json.Unmarshal([]byte(bad), &got); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func TestNameAndModeStayOverAReload(t *testing.T) {
	load := func(text string) *config.Config {
		return mustLoad(t, config.Options{Dir: tree(t, "dserver.toml", text)})
	}
	old := load("name='shop'\nmode='multi'")
	for text, want := range map[string]string{
		"name='shop'\nlog.keep=1":    "",
		"name='web'":                 "cannot change the name from shop to web by a reload: stop shop, then start web",
		"name='shop'\nmode='single'": "cannot change the mode from multi to single by a reload: stop, then start again",
	} {
		got := ""
		if err := config.CheckReload(old, load(text)); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestResolveMakesSocketPathsAbsolute(t *testing.T) {
	dir := tree(t, "dserver.toml", "[sandbox.a]\nlisten=['unix://x.sock','unix:///abs.sock','tcp://:1','unix://d/y.sock']")
	c := mustLoad(t, config.Options{Dir: dir})
	r, err := c.Resolve("/run/dserver/shop")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"unix:///run/dserver/shop/x.sock", "unix:///abs.sock", "tcp://:1", "unix:///run/dserver/shop/d/y.sock"}
	var got []string
	for _, l := range r.Sandboxes[0].Listen {
		got = append(got, l.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if c.Sandboxes[0].Listen[0].Address != "x.sock" {
		t.Error("the original was changed")
	}
	if again, err := r.Resolve("/elsewhere"); err != nil || again.Hash() != r.Hash() {
		t.Errorf("resolving again changed it: %v", err)
	}
}

func TestResolveRefusesWhatCannotBe(t *testing.T) {
	dir := tree(t, "dserver.toml", "\n[sandbox.a]\nlisten=['unix://x.sock']\n[sandbox.b.listen]\none='unix:///run/x.sock'\n")
	c := mustLoad(t, config.Options{Dir: dir})
	_, err := c.Resolve("/run")
	var errs config.Errors
	if !errors.As(err, &errs) || len(errs) != 1 {
		t.Fatalf("got %v", err)
	}
	want := filepath.Join(dir, "dserver.toml") +
		`:5: sandbox.b.listen.one = "unix:///run/x.sock": the address is taken by sandbox.a.listen.0`
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
	long := "/" + strings.Repeat("x", 100)
	_, err = c.Resolve(long)
	if err == nil || !strings.Contains(err.Error(), "dserver.toml:3: sandbox.a.listen.0") ||
		!strings.Contains(err.Error(), "it has 108 bytes and the system allows 107; choose a shorter folder with --runtime-dir") {
		t.Errorf("got %v", err)
	}
	if _, err := c.Resolve(long[:len(long)-1]); err != nil {
		t.Errorf("107 bytes are refused: %v", err)
	}
}

func TestFinders(t *testing.T) {
	c := mustLoad(t, config.Options{Dir: tree(t, "dserver.toml", before)})
	if s, ok := c.Sandbox("web"); !ok || s.Name != "web" {
		t.Errorf("got %+v, %v", s, ok)
	}
	if w, ok := c.Worker("calc"); !ok || w.Instances != 2 {
		t.Errorf("got %+v, %v", w, ok)
	}
	_, sandbox := c.Sandbox("calc")
	_, worker := c.Worker("last")
	if sandbox || worker {
		t.Error("found what is not there")
	}
}
