package program

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/internal/inherit"
)

// spawn implements surroundings.
func (p *program) spawn(ctx context.Context, r *run, blocked func(why string)) (child, error) {
	if !r.beside { // what the one that serves needs is there
		if err := p.set.gate(ctx, r.def.Needs, blocked); err != nil {
			return nil, err
		}
	}
	leave, err := p.set.births.enter(ctx, "start of "+r.String())
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := p.enroll(r); err != nil {
		return nil, err
	}
	base, err := p.spec(r, r.def)
	if err != nil {
		return nil, err
	}
	base.Group = r.home.group
	if err := p.preStart(ctx, r, base); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return p.launch(r, base)
}

// spec is what all processes of a run have in common.
func (p *program) spec(r *run, def *config.Program) (supervise.Spec, error) {
	spec, err := Outfit(&def.Process, p.set.options.Environ)
	spec.Name = r.String()
	return spec, err
}

// launch starts the process itself.
func (p *program) launch(r *run, spec supervise.Spec) (child, error) {
	spec.Path, spec.Args = r.def.Command[0], r.def.Command
	r.exe, _ = identify(spec.Path)
	names, sockets := p.set.options.Sockets(p.name)
	env, err := inherit.Environ(names)
	if err != nil {
		return nil, err
	}
	spec.Env = append(spec.Env, env...)
	spec.Files, spec.ListenPid = sockets, len(sockets) > 0
	if hub := p.set.hub.Load(); hub != nil {
		spec.Env = append(spec.Env, "NOTIFY_SOCKET="+hub.Path())
	} else if p.set.options.NotifySocket != "" && r.def.Ready.Kind == config.ProbeNotify {
		return nil, errors.New("cannot hear when it is ready: there is no notify socket")
	}
	if d := r.def.Watchdog; d > 0 {
		spec.Env = append(spec.Env, "WATCHDOG_USEC="+strconv.FormatInt(d.Microseconds(), 10))
	}
	spec.Stdout, spec.Stderr = p.set.options.Sinks(r.def, r.unit.instance, r.number)
	begun, err := p.prepare(r, &spec)
	if err != nil {
		return nil, err
	}
	heard := p.listen(r)
	if heard != nil {
		spec.Expiring = heard.expiring
	}
	c, err := p.set.start(spec)
	heard.begin(c)
	begun(err == nil)
	return c, err
}

// fileID tells an executable from another one at the same path.
type fileID struct {
	Device  uint64 `json:"device"`
	Inode   uint64 `json:"inode"`
	Size    int64  `json:"size"`
	Changed int64  `json:"changed"` // in nanoseconds since 1970
}

func identify(path string) (fileID, error) {
	info, err := os.Stat(path)
	if err != nil {
		return fileID{}, err
	}
	id := fileID{Size: info.Size(), Changed: info.ModTime().UnixNano()}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		id.Device, id.Inode = uint64(stat.Dev), stat.Ino
	}
	return id, nil
}

// place puts a connection at a descriptor number of the child, from 3 on; numbers
// in between stay closed.
func place(files []syscall.Conn, number int, c syscall.Conn) ([]syscall.Conn, error) {
	at := number - unix.Stderr - 1
	if at < 0 || at < len(files) {
		return nil, fmt.Errorf("cannot give it a newline's descriptor %d: that is a socket's", number)
	}
	for len(files) < at {
		files = append(files, nil)
	}
	return append(files, c), nil
}

// ladder implements surroundings.
func (p *program) ladder(r *run, def *config.Program) supervise.Ladder {
	var ladder supervise.Ladder
	pid := r.pid
	for _, s := range def.Stop {
		wait := s.Wait
		if wait <= 0 {
			wait = p.limits().Stop
		}
		rung := supervise.Rung{Wait: wait}
		if s.Command != nil {
			rung.Run = func(ctx context.Context) error { return p.stopCommand(ctx, r, def, s.Command, pid) }
		} else if sig, err := config.ParseSignal(s.Signal); err == nil {
			rung.Signal = sig
		} else {
			continue // refused when it was read
		}
		ladder = append(ladder, rung)
	}
	if len(ladder) == 0 {
		ladder = supervise.Ladder{{Signal: syscall.SIGTERM, Wait: p.limits().Stop}}
	}
	return ladder
}
