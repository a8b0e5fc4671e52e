package host

import (
	"os"
	"syscall"
)

// order is what a signal asks of the master.
type order uint8

const (
	orderStop   order = iota // drain within the stop limit and end; a second one cuts
	orderQuit                // drain within the drain limit and end
	orderReload              // bring everything to the new build
)

// masterSignals are those that carry an order, the same ones in both modes.
func masterSignals() []os.Signal {
	return []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR2, syscall.SIGHUP}
}

// orderOf tells what a signal asks for. A terminal that goes away sends HUP to
// mean stop; without a terminal somebody sent it by hand and means reload.
func orderOf(s os.Signal) order {
	switch s {
	case syscall.SIGQUIT:
		return orderQuit
	case syscall.SIGUSR2:
		return orderReload
	case syscall.SIGHUP:
		if !hasTerminal() {
			return orderReload
		}
	}
	return orderStop
}

// hasTerminal tells whether the process has a controlling terminal.
func hasTerminal() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	tty.Close()
	return true
}
