package program

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dserver/dserver/host/config"
)

// TestStorm lets many goroutines give commands for programs whose processes do all
// kinds of things, and looks whether in the end there is exactly what was wished
// last: no process too many, none too few.
func TestStorm(t *testing.T) {
	for round := range 60 {
		seed := uint64(time.Now().UnixNano()) + uint64(round)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { storm(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func storm(t *testing.T, random *rand.Rand) {
	s := newStage(t)
	s.limits = Limits{Ready: 2 * time.Second, Probation: 100 * time.Millisecond, Stop: time.Second}
	names := []string{"a", "b", "c", "d"}
	for _, name := range names {
		s.config = append(s.config, stormProgram(random, name))
		s.spawner.behave[name] = stormBehaviours(random)
	}
	s.groups = []config.Group{{Name: "all", Strategy: config.StrategyAll}}
	hangs := time.AfterFunc(time.Hour, func() {
		t.Errorf("it hangs: %+v\n%s", s.set.Programs(false), s.take())
	})
	defer hangs.Stop()
	s.set.Apply(t.Context(), slices.Clone(s.config), s.groups, nil, nil)

	var commands sync.WaitGroup
	for range 8 {
		random := rand.New(rand.NewPCG(random.Uint64(), 2))
		commands.Go(func() {
			for range 12 {
				time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
				s.anything(random, names)
			}
		})
	}
	watching, stop := context.WithCancel(t.Context())
	s.group.Go("counter", func(context.Context) {
		for watching.Err() == nil {
			s.countPlaces(t)
			time.Sleep(7 * time.Millisecond)
		}
	})
	commands.Wait()
	stop()
	s.settleDown(t, random, names)
}

func stormProgram(random *rand.Rand, name string) config.Program {
	p := definition(name)
	p.Instances, p.Batch = 1+random.IntN(3), 1+random.IntN(2)
	p.Keep.StartLimit = []int{0, 5, 20}[random.IntN(3)]
	p.Keep.Restart = []config.Restart{config.RestartAlways, config.RestartOnFailure, config.RestartNo}[random.IntN(3)]
	p.Reload = []config.Reload{config.ReloadReplace, config.ReloadRestart, "signal:HUP", config.ReloadNone}[random.IntN(4)]
	p.Follow = random.IntN(2) == 0
	if name > "a" && random.IntN(2) == 0 {
		p.Needs = []config.Need{{Name: string(rune(name[0] - 1)), Condition: []config.Condition{config.NeedReady, config.NeedStarted}[random.IntN(2)]}}
	}
	if random.IntN(3) == 0 {
		p.Group = "all"
	}
	if random.IntN(3) == 0 {
		p.PreStart = []string{"/bin/before"}
	}
	if random.IntN(3) == 0 {
		p.PostStop = []string{"/bin/after"}
	}
	return p
}

func stormBehaviours(random *rand.Rand) []behaviour {
	var list []behaviour
	for range 40 {
		b := behaviour{spawnTakes: time.Duration(random.IntN(30)) * time.Millisecond, lingers: time.Duration(random.IntN(300)) * time.Millisecond}
		switch random.IntN(8) {
		case 0:
			b.spawnFails = true
		case 1:
			b.lives, b.code = time.Duration(1+random.IntN(2000))*time.Millisecond, random.IntN(2)
		case 2:
			b.lives, b.signal = time.Duration(1+random.IntN(2000))*time.Millisecond, 11
		case 3:
			b.ignores = true
		}
		list = append(list, b)
	}
	return append(list, behaviour{lingers: 50 * time.Millisecond})
}

// anything gives one command.
func (s *stage) anything(random *rand.Rand, names []string) {
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Duration(random.IntN(3000))*time.Millisecond)
	defer cancel()
	name := names[random.IntN(len(names))]
	some := []string{name, names[random.IntN(len(names))]}
	switch random.IntN(9) {
	case 0:
		s.set.Start(ctx, some)
	case 1:
		s.set.Stop(ctx, some)
	case 2:
		s.set.Restart(ctx, some)
	case 3:
		s.set.Reload(ctx, some)
	case 4:
		s.set.Reset(ctx, some)
	case 5:
		s.set.Scale(ctx, name, random.IntN(5))
	case 6:
		s.mu.Lock()
		at := random.IntN(len(s.config))
		s.config[at].Command = []string{fmt.Sprintf("/bin/%s%d", s.config[at].Name, random.IntN(2))}
		s.config[at].Keep.StartLimit = random.IntN(30)
		programs := append([]config.Program(nil), s.config...)
		s.mu.Unlock()
		s.set.Apply(ctx, programs, s.groups, nil, nil)
	case 7, 8:
		if living := s.spawner.living(); len(living) > 0 {
			living[random.IntN(len(living))].end(-1, 9)
		}
	}
}

// countPlaces looks for two processes at one place that are both meant to stay:
// beside the one that serves there may be its successor, or the one that it
// replaced.
func (s *stage) countPlaces(t *testing.T) {
	count := make(map[string]int)
	for _, c := range s.spawner.living() {
		c.mu.Lock()
		told := len(c.sent) > 0
		c.mu.Unlock()
		if !told {
			count[keyOf(c.spec.Name)]++
		}
	}
	for place, n := range count {
		if n > 2 {
			t.Errorf("%d processes at %s", n, place)
		}
	}
}

// settleDown wishes something for each program and looks whether that is what there
// is.
func (s *stage) settleDown(t *testing.T, random *rand.Rand, names []string) {
	s.spawner.mu.Lock()
	for _, name := range names {
		s.spawner.behave[name] = []behaviour{{}}
	}
	s.spawner.mu.Unlock()
	time.Sleep(3 * time.Second) // so that what is being started is known for what it is
	want := make(map[string]int)
	for _, name := range names {
		n := random.IntN(4)
		var wishes sync.WaitGroup // at the same time, but in this order
		wishes.Go(func() { s.set.Restart(t.Context(), []string{name}) })
		wishes.Go(func() { s.set.Scale(t.Context(), name, n) })
		synctest.Wait()
		want[name] = n
		wishes.Wait()
	}
	for _, name := range names { // what was started as needed is stopped again
		if random.IntN(3) == 0 {
			s.set.Stop(t.Context(), []string{name})
			want[name] = 0
		}
	}
	time.Sleep(time.Minute)
	got := make(map[string]int)
	for _, c := range s.spawner.living() {
		got[c.spec.Name[:1]]++
	}
	for _, p := range s.set.Programs(false) {
		// Something that it needs was stopped, or one of its group was given up.
		blocked := p.State == Starting || strings.Contains(fmt.Sprintf("%+v", p), "By:group all")
		if got[p.Name] != want[p.Name] && !blocked {
			t.Errorf("%d processes of %s, want %d; it is %+v", got[p.Name], p.Name, want[p.Name], p)
		}
		for _, i := range p.Instances {
			if (i.Pid != 0) != i.State.alive() && !blocked {
				t.Errorf("%s/%d is %s with pid %d", p.Name, i.Instance, i.State, i.Pid)
			}
		}
	}
}
