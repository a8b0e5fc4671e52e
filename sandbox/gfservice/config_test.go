package gfservice_test

import (
	"testing"

	"github.com/gogf/gf/v2/frame/g"

	"github.com/dserver/dserver/sandbox/gfservice"
)

// No other test here uses g.Cfg(), which is one for the whole process.
func TestGoframeSeesWhatWasChecked(t *testing.T) {
	const content = `{"name": "shop", "log": {"level": "debug"},
		"sandbox": {"my-svc": {"config": {"rate": "6", "big": 4611686018427387904}}},
		"redis": {"default": {"address": "127.0.0.1:6379", "db": 3}}}`
	var c gfservice.Config
	if err := c.ShareConfig([]byte(content)); err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string]string{
		"name": "shop", "log.level": "debug",
		"sandbox.my-svc.config.rate": "6", "sandbox.my-svc.config.big": "4611686018427387904",
		"redis.default.address": "127.0.0.1:6379", "redis.default.db": "3",
		"none": "",
	} {
		v, err := g.Cfg().Get(t.Context(), pattern)
		if err != nil || v.String() != want {
			t.Errorf("%s: got %q, %v, want %q", pattern, v.String(), err, want)
		}
	}
	if err := c.ShareConfig([]byte("{")); err == nil {
		t.Error("half a table was shared")
	}
	if got := g.Cfg().MustGet(t.Context(), "name").String(); got != "shop" {
		t.Errorf("after a failure name is %q", got)
	}
}
