package config

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/signals"
)

// ParseSignal knows the names of signals, with SIG before them or without, and
// the real-time ones as RTMIN+3.
func ParseSignal(name string) (syscall.Signal, error) {
	signal, _, err := parseSignal(name)
	return signal, err
}

// parseSignal gives the short name as well. Numbers, which differ between machines,
// and small letters are refused with the name that is meant.
func parseSignal(name string) (syscall.Signal, string, error) {
	short := strings.TrimPrefix(name, "SIG")
	signal, err := signals.Parse(short)
	if err == nil && (signals.Name(signal) == short || short == "RTMIN") {
		return signal, short, nil
	}
	if strings.HasPrefix(short, "RTMIN") {
		return 0, "", errors.New("real-time signals are RTMIN to RTMIN+30")
	}
	return 0, "", &reason{text: fmt.Sprintf("unknown signal %q", cut(name, 40)), nearest: nearestSignal(name)}
}

// nearestSignal knows small letters and the numbers of this machine, too.
func nearestSignal(name string) string {
	if signal, err := signals.Parse(name); err == nil {
		return signals.Name(signal)
	}
	return nearest(strings.TrimPrefix(strings.ToUpper(name), "SIG"), signals.Names())
}

// aReload is replace, restart, none or signal:NAME.
func aReload() kind[Reload] {
	const words = "replace, restart, none or signal:NAME"
	return plainKind(words, func(n *node) (Reload, error) {
		s, err := n.asText()
		if err != nil {
			return "", err
		}
		if name, ok := strings.CutPrefix(s, "signal:"); ok {
			signal, short, err := parseSignal(name)
			if err == nil && (signal == unix.SIGKILL || signal == unix.SIGSTOP) {
				err = fmt.Errorf("no program can heed %s", short)
			}
			return Reload("signal:" + short), withPrefix("signal:", err)
		}
		word, err := oneOf(n, ReloadReplace, ReloadRestart, ReloadNone)
		if why, ok := errors.AsType[*reason](err); ok {
			why.text = "must be " + words
			if _, short, err := parseSignal(s); err == nil {
				why.nearest = "signal:" + short
			}
		}
		return word, err
	}, func(r Reload) string { return string(r) })
}

// withPrefix puts prefix before the better value that err offers.
func withPrefix(prefix string, err error) error {
	if why, ok := errors.AsType[*reason](err); ok && why.nearest != "" {
		return &reason{text: why.text, nearest: prefix + why.nearest}
	}
	return err
}

// Signal of a reload by signal; ok is false for the other ways.
func (r Reload) Signal() (signal syscall.Signal, ok bool) {
	name, ok := strings.CutPrefix(string(r), "signal:")
	if !ok {
		return 0, false
	}
	signal, err := ParseSignal(name)
	return signal, err == nil
}

// maxSteps is how many steps a stop may have.
const maxSteps = 16

// aStop is a list of steps such as "TERM 10s" and "exec:CMD ARGS 5s".
func aStop() kind[[]StopStep] {
	return plainKind("list of steps", func(n *node) ([]StopStep, error) {
		texts, err := n.asTexts()
		if err != nil {
			return nil, err
		}
		if len(texts) == 0 || len(texts) > maxSteps {
			return nil, fmt.Errorf("want 1 to %d steps, not %d", maxSteps, len(texts))
		}
		steps := make([]StopStep, len(texts))
		for i, text := range texts {
			if steps[i], err = parseStep(text); err != nil {
				return nil, fmt.Errorf("step %d: %w", i+1, err)
			}
		}
		return steps, nil
	}, func(steps []StopStep) string {
		texts := make([]string, len(steps))
		for i, s := range steps {
			texts[i] = s.String()
		}
		return strings.Join(texts, ", ")
	})
}

// unsaid stands for the wait of a step that says none.
const unsaid = -1

func parseStep(text string) (StopStep, error) {
	step := StopStep{Wait: unsaid}
	rest := strings.TrimSpace(text)
	if at := strings.LastIndexAny(rest, " \t"); at >= 0 {
		if d, err := time.ParseDuration(rest[at+1:]); err == nil {
			if d < 0 || d > 24*time.Hour {
				return step, fmt.Errorf("the wait must be from 0s to 24h, not %s", cut(rest[at+1:], 40))
			}
			step.Wait, rest = d, strings.TrimSpace(rest[:at])
		}
	}
	if command, ok := strings.CutPrefix(rest, "exec:"); ok {
		words, err := splitWords(command)
		if err == nil {
			err = checkWords(words)
		}
		step.Command = words
		return step, err
	}
	if name, wait, ok := strings.Cut(rest, " "); ok {
		return step, fmt.Errorf(`want "SIGNAL WAIT" or "exec:COMMAND WAIT" with a wait such as 10s, not %q after %s`,
			cut(strings.TrimSpace(wait), 40), cut(name, 40))
	}
	signal, short, err := parseSignal(rest)
	if err == nil && signal == unix.SIGSTOP {
		err = errors.New("STOP ends no program, it only halts it")
	}
	step.Signal = short
	return step, err
}

// String is the step as it is written in a file.
func (s StopStep) String() string {
	text := s.Signal
	if s.Command != nil {
		text = "exec:" + showCommand(s.Command)
	}
	return text + " " + s.Wait.String()
}
