package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/dserver/dserver/internal/group"
)

const (
	peerDserver    = "dserver"
	peerDserverRaw = "dserver-raw"

	module = "github.com/dserver/dserver"
)

// The cells.
const (
	cellRestart   = "restart"
	cellRestartGo = "restartgo"
	cellYoung     = "young"
	cellFew       = "few"
	cellMany      = "many"
	cellOneLog    = "log1"
	cellManyLogs  = "log50"
	cellCrash     = "crash"
)

func cellNames() []string {
	return []string{cellRestart, cellRestartGo, cellYoung, cellFew, cellMany, cellOneLog, cellManyLogs, cellCrash}
}

func peerNames() []string {
	return []string{roleRaw, roleFloor, roleSupervise, peerDserver, peerDserverRaw, "runit", "s6", "supervisor"}
}

// logPeers are those that differ from others, or are there at all, for logs alone.
func logPeers() []string { return []string{roleRaw, peerDserverRaw} }

// bench measures.
type bench struct {
	options
	dir   string // temporary
	peers []peer
	wait  *group.Group
	*results
	jobs int
}

// drive is the role that measures: args are the temporary folder, which is the
// guard's to remove, and the options.
func drive(args []string) (err error) {
	if len(args) == 0 {
		return errors.New("want: FOLDER OPTIONS...")
	}
	o, err := parseOptions(args[1:], os.Stderr)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("the time limit of %v has passed", o.timeout))
	defer cancel()
	if o.profile != "" {
		if o.profile, err = filepath.Abs(o.profile); err != nil {
			return err
		}
		if err := os.MkdirAll(o.profile, 0o700); err != nil {
			return err
		}
	}
	guard := os.Getppid()
	defer func() {
		if os.Getppid() != guard { // it has been killed, and cannot do it
			err = errors.Join(err, os.RemoveAll(args[0]))
		}
	}()
	b := &bench{options: o, dir: args[0], wait: group.New(context.Background(), nil), results: newResults()}
	if err := b.findPeers(ctx); err != nil {
		return err
	}
	measured := b.measure(ctx)
	return errors.Join(measured, b.report(os.Stdout))
}

// findPeers makes the executables, and drops the peers that are not here.
func (b *bench) findPeers(ctx context.Context) error {
	for _, role := range []string{roleChild, roleWriter, roleFloor, roleSupervise, roleRaw} {
		if err := b.copySelf(role); err != nil {
			return err
		}
	}
	if err := b.makeChild(); err != nil {
		return err
	}
	for _, name := range b.options.peers {
		p, err := b.peer(ctx, name)
		if err == nil {
			err = p.find()
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			b.tell("%s is left out: %v", name, err)
			continue
		}
		b.peers = append(b.peers, p)
	}
	return nil
}

// makeChild writes the tiny child and its script, or does without.
func (b *bench) makeChild() error {
	program := tinyChild()
	if program == nil {
		if b.child != childGo {
			b.child = childGo
			b.tell("there is no tiny child for this kind of machine; the children are this executable")
		}
		return nil
	}
	text := "#!/bin/sh\nexec '" + b.binary(childTiny) + "' \"$@\"\n"
	return errors.Join(os.WriteFile(b.binary(childTiny), program, 0o700), os.WriteFile(b.binary(childScript), []byte(text), 0o700))
}

// childCommand is what a task runs, but for the arguments of the child, and the
// executable that it comes to.
func (b *bench) childCommand() (command []string, program string) {
	switch b.child {
	case childGo:
		return []string{b.binary(roleChild), roleChild}, b.binary(roleChild)
	case childScript:
		return []string{b.binary(childScript)}, b.binary(childTiny)
	}
	return []string{b.binary(childTiny)}, b.binary(childTiny)
}

// goRestarts has Go programs as children, whatever the others are.
func (b *bench) goRestarts(ctx context.Context) error {
	defer func(kind string) { b.child = kind }(b.child)
	b.child = childGo
	return b.restarts(ctx, cellRestartGo, b.scale.Stable)
}

func (b *bench) binary(role string) string { return filepath.Join(b.dir, "bin-"+role) }

// copySelf gives a role an executable of its own: who runs the same file shares
// its pages, and would seem smaller.
func (b *bench) copySelf(role string) error {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer self.Close()
	out, err := os.OpenFile(b.binary(role), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, self)
	return errors.Join(err, out.Close())
}

func (b *bench) peer(ctx context.Context, name string) (peer, error) {
	switch name {
	case peerDserver, peerDserverRaw:
		return b.dserverPeer(ctx, name == peerDserverRaw)
	case "runit":
		return runitPeer{}, nil
	case "s6":
		return s6Peer{}, nil
	case "supervisor":
		return supervisorPeer{}, nil
	}
	return ownPeer{role: name, executable: b.binary(name), profiles: b.profile}, nil
}

func (b *bench) dserverPeer(ctx context.Context, raw bool) (peer, error) {
	if b.dserver != "" {
		path, err := filepath.Abs(b.dserver)
		return dserverPeer{path, raw}, err
	}
	p := dserverPeer{b.binary(peerDserver), raw}
	if p.find() == nil {
		return p, nil // the other one has built it
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", p.executable, module+"/cmd/dserver")
	if out, err := cmd.CombinedOutput(); err != nil {
		return p, fmt.Errorf("cannot build it: %w: %s", err, out)
	}
	return p, nil
}

// measure measures all cells. What goes wrong in one with one peer is told; the
// error is for what ends the whole run.
func (b *bench) measure(ctx context.Context) error {
	cells := map[string]func(context.Context) error{
		cellRestart:   func(ctx context.Context) error { return b.restarts(ctx, cellRestart, b.scale.Stable) },
		cellRestartGo: b.goRestarts,
		cellYoung:     func(ctx context.Context) error { return b.restarts(ctx, cellYoung, youngAge) },
		cellFew:       func(ctx context.Context) error { return b.crowd(ctx, cellFew, b.scale.Few) },
		cellMany:      func(ctx context.Context) error { return b.crowd(ctx, cellMany, b.scale.Many) },
		cellOneLog:    func(ctx context.Context) error { return b.logs(ctx, cellOneLog, 1, b.scale.OneLines) },
		cellManyLogs:  func(ctx context.Context) error { return b.logs(ctx, cellManyLogs, b.scale.Writers, b.scale.ManyLines) },
		cellCrash:     b.crashes,
	}
	for _, name := range b.only {
		began := time.Now()
		if err := cells[name](ctx); err != nil {
			return fmt.Errorf("cell %s: %w", name, err)
		}
		fmt.Fprintf(os.Stderr, "%-8s took %v\n", name, time.Since(began).Round(time.Second))
	}
	return nil
}

// tell is for what whoever reads the figures has to know.
func (b *bench) tell(format string, args ...any) {
	fmt.Fprintln(os.Stderr, b.remark(format, args...))
}

// failed tells that a peer could not be measured. It gives an error only if
// everything is to end.
func (b *bench) failed(ctx context.Context, cell, peer string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	b.tell("%s, %s: %v", cell, peer, err)
	return nil
}

// turn gives the peers in another order each round, without those left out.
func (b *bench) turn(round int, without ...string) []peer {
	var list []peer
	for i := range b.peers {
		p := b.peers[(i+round)%len(b.peers)]
		if !slices.Contains(without, p.name()) {
			list = append(list, p)
		}
	}
	return list
}

// newJob gives a job with a fresh folder.
func (b *bench) newJob(peer string, p policy) (job, error) {
	b.jobs++
	j := job{dir: filepath.Join(b.dir, strconv.Itoa(b.jobs)+"-"+peer), policy: p, stable: time.Second, wait: b.wait}
	return j, os.Mkdir(j.dir, 0o700)
}

// start launches a peer with a number of children.
func (b *bench) start(ctx context.Context, p peer, policy policy, children int, more ...string) (run, error) {
	j, err := b.newJob(p.name(), policy)
	if err != nil {
		return run{}, err
	}
	command, program := b.childCommand()
	j.program = program
	reg, err := newRegister(j.path("births"))
	if err != nil {
		return run{}, err
	}
	for i := range children {
		args := slices.Concat(command, []string{string(reg)}, more)
		j.tasks = append(j.tasks, task{Name: fmt.Sprintf("c%04d", i), Args: args})
	}
	return b.launch(ctx, p, j, reg)
}

// launch gives a run that is to be ended, or an error and nothing that runs.
func (b *bench) launch(ctx context.Context, p peer, j job, reg register) (run, error) {
	if err := p.prepare(j); err != nil {
		return run{}, err
	}
	r := run{peer: p.name(), job: j, reg: reg, from: monotonic()}
	var err error
	r.instance, err = p.launch(ctx, j)
	return r, err
}

const (
	startTime = 2 * time.Minute // for all children to run
	endTime   = 30 * time.Second
)

// finish ends a run and removes its files.
func (b *bench) finish(r run) {
	r.end(endTime)
	if err := os.RemoveAll(r.job.dir); err != nil {
		b.tell("%s: %v", r.peer, err)
	}
}
