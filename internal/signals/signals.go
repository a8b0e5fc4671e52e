package signals

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
)

const (
	// The C library keeps the first two real-time signals of the kernel for itself.
	realTimeMin = 34
	realTimeMax = 64
)

// Parse gives the signal that text means: a name with or without SIG, in any
// case, a number from 1 to 64, or RTMIN+N and RTMAX-N.
func Parse(text string) (syscall.Signal, error) {
	if n, err := strconv.Atoi(text); err == nil {
		if n < 1 || n > realTimeMax {
			return 0, fmt.Errorf("cannot use %q as a signal: a number must be from 1 to %d", text, realTimeMax)
		}
		return syscall.Signal(n), nil
	}
	name := strings.TrimPrefix(strings.ToUpper(text), "SIG")
	if s, ok := realTime(name); ok {
		return s, nil
	}
	if s := number(name); s != 0 {
		return s, nil
	}
	return 0, fmt.Errorf("cannot use %q as a signal: there is none of that name", text)
}

// Name gives the name without SIG, or the number where there is no name.
func Name(s syscall.Signal) string {
	for _, name := range Names() {
		if number(name) == s {
			return name
		}
	}
	if s >= realTimeMin && s <= realTimeMax {
		return "RTMIN+" + strconv.Itoa(int(s-realTimeMin))
	}
	return strconv.Itoa(int(s))
}

func realTime(name string) (syscall.Signal, bool) {
	at, sign, rest := realTimeMin, 1, ""
	if after, ok := strings.CutPrefix(name, "RTMIN"); ok {
		rest = strings.TrimPrefix(after, "+")
	} else if after, ok := strings.CutPrefix(name, "RTMAX"); ok {
		at, sign, rest = realTimeMax, -1, strings.TrimPrefix(after, "-")
	} else {
		return 0, false
	}
	n := 0
	if rest != "" {
		// ParseUint knows no sign: RTMIN+-1 is nothing.
		v, err := strconv.ParseUint(rest, 10, 8)
		if err != nil {
			return 0, false
		}
		n = int(v)
	}
	s := at + sign*n
	return syscall.Signal(s), s >= realTimeMin && s <= realTimeMax
}

// Names lists the signals that have names of their own, those first that people
// send to programs.
func Names() []string {
	return []string{
		"HUP", "INT", "QUIT", "KILL", "USR1", "USR2", "TERM", "CONT", "STOP", "TSTP", "WINCH", "ALRM", "ABRT", "CHLD",
		"TTIN", "TTOU", "PIPE", "TRAP", "ILL", "BUS", "FPE", "SEGV", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "IO", "SYS", "PWR", "STKFLT",
	}
}
