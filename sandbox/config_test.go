package sandbox

import (
	"testing"
	"time"
)

type testConfig struct {
	Greeting string        `json:"greeting"`
	Wait     time.Duration `json:"wait"`
	Workers  int           `json:"workers"`
	Steps    []time.Duration
	Backend  *struct {
		Timeout time.Duration `json:"timeout"`
	} `json:"backend"`
	Limits map[string]time.Duration `json:"limits"`
}

func TestConfigFillsAndKeepsDefaults(t *testing.T) {
	c := testConfig{Workers: 4, Greeting: "hi"}
	err := decodeConfig(map[string]any{
		"greeting": "hello", "wait": "1m30s", "steps": []any{"1s", int64(5)},
		"backend": map[string]any{"timeout": "250ms"}, "limits": map[string]any{"a": "2h"},
	}, &c)
	if err != nil {
		t.Fatal(err)
	}
	if c.Greeting != "hello" || c.Workers != 4 || c.Wait != 90*time.Second || c.Steps[0] != time.Second ||
		c.Steps[1] != 5 || c.Backend.Timeout != 250*time.Millisecond || c.Limits["a"] != 2*time.Hour {
		t.Errorf("got %+v", c)
	}
	if err := decodeConfig(nil, &c); err != nil || c.Workers != 4 {
		t.Errorf("no table: %v, %+v", err, c)
	}
}

func TestConfigRefusesWhatItDoesNotUnderstand(t *testing.T) {
	for want, config := range map[string]map[string]any{
		`unknown field "wiat"`:                            {"wiat": "1s"},
		`wait: "soon" is no duration such as 1s or 1m30s`: {"wait": "soon"},
		`backend.timeout: "x" is no duration such as 1s or 1m30s`: {
			"backend": map[string]any{"timeout": "x"}, "limits": map[string]any{"z": "y"}},
		`workers: want int, not string`:                    {"workers": "many"},
		`Steps[1]: "x" is no duration such as 1s or 1m30s`: {"Steps": []any{"1s", "x"}},
	} {
		var c testConfig
		if err := decodeConfig(config, &c); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := decodeConfig(nil, testConfig{}); err == nil {
		t.Error("a struct that cannot be filled was taken")
	}
}
