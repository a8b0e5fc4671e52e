package host

import (
	"os"
	"os/signal"
	"syscall"
)

// order is what a signal asks of the master.
type order uint8

const (
	orderStop   order = iota // drain within the stop limit and end; a second one cuts
	orderQuit                // drain within the drain limit and end
	orderReload              // bring everything to the new build
	orderReopen              // open the log files anew: somebody has moved them away
)

// orders tells what signals ask for, the same in both modes.
type orders struct {
	hangup order // what HUP means
}

// newOrders looks at the terminal while it is there: one that goes away sends HUP
// to mean stop, and without one somebody sent it by hand and means reload.
func newOrders() orders {
	if hasTerminal() {
		return orders{hangup: orderStop}
	}
	return orders{hangup: orderReload}
}

func (o orders) of(s os.Signal) order {
	switch s {
	case syscall.SIGQUIT:
		return orderQuit
	case syscall.SIGUSR2:
		return orderReload
	case syscall.SIGUSR1:
		return orderReopen
	case syscall.SIGHUP:
		return o.hangup
	}
	return orderStop
}

// masterSignals are those that carry an order. A process that was started to
// ignore HUP, as by nohup, goes on ignoring it.
func masterSignals() []os.Signal {
	all := []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

// outliveReaders keeps the process alive when what it prints is not read any more.
// Unlike with an ignored signal, children start with the default.
func outliveReaders() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// hasTerminal tells whether the process has a controlling terminal.
func hasTerminal() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	tty.Close()
	return true
}
