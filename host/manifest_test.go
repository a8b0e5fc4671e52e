package host

import (
	"testing"
	"time"

	"github.com/dserver/dserver/host/config"
)

func TestTheLongestStopIsThatOfAChain(t *testing.T) {
	steps := func(waits ...time.Duration) (list []config.StopStep) {
		for _, w := range waits {
			list = append(list, config.StopStep{Signal: "TERM", Wait: w})
		}
		return list
	}
	needs := func(names ...string) (list []config.Need) {
		for _, n := range names {
			list = append(list, config.Need{Name: n, Condition: config.NeedReady})
		}
		return list
	}
	for _, tt := range []struct {
		name string
		c    config.Config
		want time.Duration
	}{
		{"nothing", config.Config{}, 10 * time.Second},
		{"a quick program", config.Config{Programs: []config.Program{{Name: "a", Stop: steps(time.Second)}}}, 10 * time.Second},
		{"two steps", config.Config{Programs: []config.Program{{Name: "a", Stop: steps(20*time.Second, 5*time.Second)}}}, 25 * time.Second},
		{"a chain", config.Config{
			Workers: []config.Worker{{Name: "w", Needs: needs("a", "b")}},
			Programs: []config.Program{
				{Name: "a", Stop: steps(3 * time.Second)},
				{Name: "b", Needs: needs("c")},
				{Name: "c", Stop: steps(30 * time.Second)},
			}}, 50 * time.Second},
		{"a circle", config.Config{Programs: []config.Program{{Name: "a", Needs: needs("b")}, {Name: "b", Needs: needs("a")}}}, 20 * time.Second},
	} {
		tt.c.StopTimeout = 10 * time.Second
		if got := longestStop(&tt.c); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
