//go:build !unix

package signals

import "syscall"

// number is that of most systems: here are no signals, but the name of one can
// be sent to a master elsewhere.
func number(name string) syscall.Signal {
	for i, n := range []string{
		"HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT",
		"CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
	} {
		if n == name {
			return syscall.Signal(i + 1)
		}
	}
	return 0
}
