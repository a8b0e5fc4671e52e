//go:build linux

package program_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/program"
	"github.com/dserver/dserver/internal/proc"
)

// TestManyCommandsAtOnce lets several goroutines give commands for programs that are
// killed meanwhile, and counts the processes in the end.
func TestManyCommandsAtOnce(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	k := keep(t, nil)
	var programs []config.Program
	for i, name := range []string{"red", "green", "blue"} {
		p := shell(name, `sleep 1000 & trap 'exit 0' TERM; echo up; wait`, "storm-"+name)
		p.Instances, p.Keep.StartLimit, p.Keep.Stable = 1+i, 0, time.Millisecond
		p.Keep.Restart = config.RestartAlways
		p.Reload = []config.Reload{config.ReloadReplace, config.ReloadRestart, "signal:HUP"}[i]
		if name == "blue" {
			p.Needs = []config.Need{{Name: "green", Condition: config.NeedReady}}
			p.Stop = []config.StopStep{{Signal: "WINCH", Wait: 20 * time.Millisecond}} // and then it is killed
		}
		programs = append(programs, p)
	}
	k.apply(programs...)
	var commands sync.WaitGroup
	for n := range 6 {
		random := rand.New(rand.NewPCG(seed, uint64(n)))
		commands.Go(func() {
			for range 25 {
				k.anything(random, programs)
			}
		})
	}
	commands.Wait()
	// What nobody waits for any more goes on. Configurations and renewals come one
	// after the other, so after these two nothing is left to be done: what comes late
	// finds processes that are new already.
	k.Apply(t.Context(), programs, nil, nil, nil)
	k.Restart(t.Context(), []string{"red", "green", "blue"})

	want := map[string]int{"red": 2, "green": 3, "blue": 1}
	for _, name := range []string{"red", "green", "blue"} {
		fine(t, []program.Result{k.Scale(t.Context(), name, want[name])})
	}
	fine(t, k.Start(t.Context(), []string{"red", "green", "blue"}))
	fine(t, k.Stop(t.Context(), []string{"red"}))
	want["red"] = 0
	for name, n := range want {
		if got := shells("storm-" + name); got != n {
			t.Errorf("%d processes of %s, want %d: %+v", got, name, n, k.status(name))
		}
		for _, i := range k.status(name).Instances {
			if n > 0 && (i.State != program.Ready || !proc.Alive(i.Pid)) {
				t.Errorf("%s/%d: %+v", name, i.Instance, i)
			}
		}
	}
	if sleeps := grandchildren("sleep\x001000\x00"); sleeps != want["green"]+want["blue"] {
		t.Errorf("%d grandchildren live", sleeps)
	}
}

func (k *keeper) anything(random *rand.Rand, programs []config.Program) {
	ctx, cancel := context.WithTimeout(k.t.Context(), time.Duration(random.IntN(200))*time.Millisecond)
	defer cancel()
	name := programs[random.IntN(len(programs))].Name
	switch random.IntN(8) {
	case 0:
		k.Start(ctx, []string{name})
	case 1:
		k.Stop(ctx, []string{name})
	case 2:
		k.Restart(ctx, []string{name})
	case 3:
		k.Reload(ctx, []string{name})
	case 4:
		k.Scale(ctx, name, random.IntN(4))
	case 5:
		changed := append([]config.Program(nil), programs...)
		changed[random.IntN(3)].Process.Env = map[string]string{"N": fmt.Sprint(random.IntN(2))}
		k.Apply(ctx, changed, nil, nil, nil)
	case 6, 7:
		if i := k.status(name).Instances; len(i) > 0 {
			if pid := i[random.IntN(len(i))].Pid; pid > 0 {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
}

// shells counts the living shells that have a word as their last argument.
func shells(word string) int { return grandchildren("\x00" + word + "\x00") }

func grandchildren(end string) int {
	count := 0
	for _, pid := range descendants(os.Getpid()) {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if strings.HasSuffix(string(line), end) && proc.Alive(pid) {
			count++
		}
	}
	return count
}
