package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gogf/gf/v2/frame/g"

	"github.com/dserver/dserver/host/config"
)

// No other test here uses g.Cfg(), which is one for the whole process.
func TestGoframeSeesWhatWasChecked(t *testing.T) {
	dir := tree(t,
		"dserver.toml", "# host: \"looks like YAML\"\nname='shop'\n[sandbox.my-svc.config]\nrate=5\nbig=4611686018427387904\n[redis.default]\naddress='127.0.0.1:6379'",
		"dserver.dev.toml", "[redis.default]\ndb=3\n")
	c := mustLoad(t, config.Options{Dir: dir, Env: "dev", Environ: []string{"DSERVER_SANDBOX__MY_SVC__CONFIG__RATE=6"}})
	if err := config.ShareWithGoframe(c.Content()); err != nil {
		t.Fatal(err)
	}
	// An edit must not be seen before a reload has checked it.
	if err := os.WriteFile(filepath.Join(dir, "dserver.toml"), []byte("name='edited'"), 0o644); err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string]string{
		"name": "shop", "log.level": "debug",
		"sandbox.my-svc.config.rate": "6",
		"redis.default.address":      "127.0.0.1:6379", "redis.default.db": "3",
		"none": "",
	} {
		v, err := g.Cfg().Get(t.Context(), pattern)
		if err != nil || v.String() != want {
			t.Errorf("%s: got %q, %v, want %q", pattern, v.String(), err, want)
		}
	}
	if err := config.ShareWithGoframe([]byte("{")); err == nil {
		t.Error("half a table was shared")
	}
	if got := g.Cfg().MustGet(t.Context(), "name").String(); got != "shop" {
		t.Errorf("after a failure name is %q", got)
	}
}
