package program

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/probe"
	"github.com/dserver/dserver/host/supervise"
)

type superviseExit = supervise.Exit

func noSpawner() *supervise.Spawner { return new(supervise.Spawner) }

// definition is a program as the configuration makes it by default.
func definition(name string) config.Program {
	return config.Program{
		Name: name, Command: []string{"/bin/" + name}, Instances: 1, Autostart: true, Batch: 1,
		Ready: config.Probe{Kind: config.ProbeStarted}, Live: config.Liveness{Action: config.ReloadRestart},
		Reload: config.ReloadRestart, Process: config.Process{Umask: -1},
		Keep: config.Keep{
			Restart: config.RestartOnFailure, BackoffMin: 100 * time.Millisecond, BackoffMax: 30 * time.Second,
			Stable: 10 * time.Second, StartLimit: 9, StartWindow: time.Minute,
		},
	}
}

// define reads a program: a name and key=value. One that is there is changed.
func (s *stage) define(args []string) error {
	at := slices.IndexFunc(s.config, func(p config.Program) bool { return p.Name == args[0] })
	if at < 0 {
		at = len(s.config)
		s.config = append(s.config, definition(args[0]))
	}
	p := s.config[at]
	for _, arg := range args[1:] {
		key, value, _ := strings.Cut(arg, "=")
		set, ok := settingsOf()[key]
		if !ok {
			return fmt.Errorf("no such key: %s", key)
		}
		if err := set(&p, value); err != nil {
			return err
		}
	}
	s.config[at] = p
	return nil
}

func settingsOf() map[string]func(p *config.Program, v string) error {
	duration := func(of func(p *config.Program) *time.Duration) func(*config.Program, string) error {
		return func(p *config.Program, v string) (err error) {
			*of(p), err = time.ParseDuration(v)
			return err
		}
	}
	number := func(of func(p *config.Program) *int) func(*config.Program, string) error {
		return func(p *config.Program, v string) (err error) {
			*of(p), err = strconv.Atoi(v)
			return err
		}
	}
	flag := func(of func(p *config.Program) *bool) func(*config.Program, string) error {
		return func(p *config.Program, v string) (err error) {
			*of(p), err = strconv.ParseBool(v)
			return err
		}
	}
	return map[string]func(p *config.Program, v string) error{
		"restart": func(p *config.Program, v string) error { p.Keep.Restart = config.Restart(v); return nil },
		"codes": func(p *config.Program, v string) error {
			p.Keep.ExitCodes = nil
			for text := range strings.SplitSeq(v, ",") {
				code, err := strconv.Atoi(text)
				if err != nil {
					return err
				}
				p.Keep.ExitCodes = append(p.Keep.ExitCodes, code)
			}
			return nil
		},
		"ready":     func(p *config.Program, v string) error { p.Ready.Kind = config.ProbeKind(v); return nil },
		"reload":    func(p *config.Program, v string) error { p.Reload = config.Reload(v); return nil },
		"group":     func(p *config.Program, v string) error { p.Group = v; return nil },
		"prestart":  func(p *config.Program, v string) error { p.PreStart = []string{v}; return nil },
		"poststop":  func(p *config.Program, v string) error { p.PostStop = []string{v}; return nil },
		"onfatal":   func(p *config.Program, v string) error { p.OnFatal = []string{v}; return nil },
		"command":   func(p *config.Program, v string) error { p.Command = []string{v}; return nil },
		"action":    func(p *config.Program, v string) error { p.Live.Action = config.Reload(v); return nil },
		"instances": number(func(p *config.Program) *int { return &p.Instances }),
		"batch":     number(func(p *config.Program) *int { return &p.Batch }),
		"limit":     number(func(p *config.Program) *int { return &p.Keep.StartLimit }),
		"autostart": flag(func(p *config.Program) *bool { return &p.Autostart }),
		"essential": flag(func(p *config.Program) *bool { return &p.Essential }),
		"follow":    flag(func(p *config.Program) *bool { return &p.Follow }),
		"timeout":   duration(func(p *config.Program) *time.Duration { return &p.StartTimeout }),
		"watchdog":  duration(func(p *config.Program) *time.Duration { return &p.Watchdog }),
		"maxage":    duration(func(p *config.Program) *time.Duration { return &p.Recycle.MaxAge }),
		"stable":    duration(func(p *config.Program) *time.Duration { return &p.Keep.Stable }),
		"needs": func(p *config.Program, v string) error {
			p.Needs = nil
			for text := range strings.SplitSeq(v, ",") {
				name, condition, _ := strings.Cut(text, ":")
				p.Needs = append(p.Needs, config.Need{Name: name, Condition: config.Condition(condition)})
			}
			return nil
		},
		"stop": func(p *config.Program, v string) error {
			p.Stop = nil
			for text := range strings.SplitSeq(v, ",") {
				what, wait, _ := strings.Cut(text, ":")
				d, err := time.ParseDuration(wait)
				if err != nil {
					return err
				}
				step := config.StopStep{Signal: what, Wait: d}
				if command, ok := strings.CutPrefix(what, "/"); ok {
					step = config.StopStep{Command: []string{"/" + command}, Wait: d}
				}
				p.Stop = append(p.Stop, step)
			}
			return nil
		},
	}
}

// noticeOf reads what a program says: READY, WATCHDOG, STATUS=text and so on.
func noticeOf(words []string) (n probe.Notice, err error) {
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "READY":
			n.Ready = true
		case "RELOADING":
			n.Reloading = true
		case "STOPPING":
			n.Stopping = true
		case "WATCHDOG":
			n.Alive, n.Sick = value == "", value == "trigger"
		case "STATUS":
			n.Status, n.HasStatus = value, true
		case "MAINPID":
			n.MainPid, err = strconv.Atoi(value)
		case "ERRNO":
			n.Errno, err = strconv.Atoi(value)
		case "EXTEND":
			n.Extend, err = time.ParseDuration(value)
		case "WRONG":
			n.Wrong = append(n.Wrong, value)
		default:
			err = fmt.Errorf("no such notice: %s", word)
		}
	}
	return n, err
}

// behave reads what processes of a place do: behaviours are parted by commas, the
// last one repeats. Each is made of words with a plus between them.
func (s *stage) behave(args []string) error {
	place := strings.ReplaceAll(args[0], "_", " ")
	place = strings.Replace(place, "pre start", "pre_start", 1)
	place = strings.Replace(place, "post stop", "post_stop", 1)
	place = strings.Replace(place, "on fatal", "on_fatal", 1)
	place = strings.Replace(place, "stop command", "stop command", 1)
	var list []behaviour
	for text := range strings.SplitSeq(args[1], ",") {
		var b behaviour
		for word := range strings.SplitSeq(text, "+") {
			key, value, _ := strings.Cut(word, "=")
			var err error
			switch key {
			case "ok":
			case "nospawn":
				b.spawnFails = true
			case "spawn":
				b.spawnTakes, err = time.ParseDuration(value)
			case "lives":
				b.lives, err = time.ParseDuration(value)
			case "code":
				b.code, err = strconv.Atoi(value)
			case "crash":
				b.signal = 11
			case "ignores":
				b.ignores = true
			case "lingers":
				b.lingers, err = time.ParseDuration(value)
			case "says":
				b.says = append(b.says, value)
			default:
				return fmt.Errorf("no such behaviour: %s", word)
			}
			if err != nil {
				return err
			}
		}
		list = append(list, b)
	}
	s.spawner.mu.Lock()
	defer s.spawner.mu.Unlock()
	s.spawner.behave[place] = list
	return nil
}
