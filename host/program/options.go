package program

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"syscall"
	"time"

	"github.com/dserver/dserver/host/cgroup"
	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/internal/group"
)

// Options are what a [Set] works with. Functions may be called by several
// goroutines at a time.
type Options struct {
	// Spawner starts processes. Needed.
	Spawner *supervise.Spawner
	// Group owns all goroutines of the Set; when its context ends nothing is kept any
	// more, and processes live on. Needed.
	Group *group.Group
	// Cgroups is where programs live. Default: nil, in the group of the master.
	Cgroups *cgroup.Tree
	// Log is told of mistakes of our own. Default: nowhere.
	Log *slog.Logger
	// Environ is what programs may inherit, without variables that speak to this
	// process alone. Default: none.
	Environ []string
	// Sinks gives what takes the output of a process; nil is nothing but the last
	// lines. Default: nil for all.
	Sinks func(p *config.Program, instance, generation int) (stdout, stderr supervise.Sink)
	// Sockets gives the sockets of a program by the names they have in LISTEN_FDNAMES.
	// They stay open and are asked for at each start. Default: none.
	Sockets func(program string) (names []string, files []syscall.Conn)
	// NotifySocket is the path of the socket that programs get as NOTIFY_SOCKET. It is
	// made before the first program starts, and removed when the context of Group ends.
	// Default: empty, none.
	NotifySocket string
	// Limits are those of the instance, asked for when they are needed. Default: the
	// defaults of [Limits].
	Limits func() Limits
	// Publish is told of all that happens, in the order in which it happens to one
	// instance. It must not take long and not call the Set. Default: nobody.
	Publish func(Event)
	// Outside waits for something that is needed and is no program. Default: there is
	// nothing else.
	Outside func(ctx context.Context, name string, c config.Condition) error
	// Essential is told that an essential program has ended for good. Default: nobody.
	Essential func(program string, exit supervise.Exit)
}

// Limits are how long things may take when a program does not say so itself.
type Limits struct {
	Ready     time.Duration // a start; default 60 s
	Probation time.Duration // how long a successor must stay well before it takes over; 0 is not at all
	Stop      time.Duration // a stop, before what is left is killed; default 10 s
}

func (l Limits) orDefault() Limits {
	if l.Ready <= 0 {
		l.Ready = 60 * time.Second
	}
	if l.Stop <= 0 {
		l.Stop = 10 * time.Second
	}
	return l
}

func (o Options) orDefault() (Options, error) {
	if o.Spawner == nil || o.Group == nil {
		return o, errors.New("cannot keep programs without a spawner and a group for goroutines")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Sinks == nil {
		o.Sinks = func(*config.Program, int, int) (stdout, stderr supervise.Sink) { return nil, nil }
	}
	if o.Sockets == nil {
		o.Sockets = func(string) ([]string, []syscall.Conn) { return nil, nil }
	}
	if o.Limits == nil {
		o.Limits = func() Limits { return Limits{Probation: time.Second} }
	}
	if o.Publish == nil {
		o.Publish = func(Event) {}
	}
	if o.Outside == nil {
		o.Outside = func(_ context.Context, name string, _ config.Condition) error {
			return fmt.Errorf("there is nothing named %s", name)
		}
	}
	if o.Essential == nil {
		o.Essential = func(string, supervise.Exit) {}
	}
	return o, nil
}
