package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/dserver/dserver/internal/group"
)

// floor is what package os/exec gives with the least work: a session for each
// child, its output through a pipe to a file, Wait, start again at once, and a list
// of all on a socket. It has no policy, sweeps up nothing that children leave
// behind, and knows no handover; nothing that does more is expected to be faster.
type floor struct {
	plan  plan
	tasks *group.Group

	mu       sync.Mutex
	stopping bool
	places   []place
}

func runFloor(args []string) error {
	p, err := readPlan(args)
	if err != nil {
		return err
	}
	end, err := p.startProfile()
	if err != nil {
		return err
	}
	f := &floor{plan: p, tasks: group.New(context.Background(), nil), places: make([]place, len(p.Tasks))}
	for i, t := range p.Tasks {
		f.places[i].Name = t.Name
		f.tasks.Go(t.Name, func(context.Context) { f.keep(i, t) })
	}
	return errors.Join(serve(p.Socket, f), end())
}

// keep runs one task over and over.
func (f *floor) keep(i int, t task) {
	out, err := os.OpenFile(filepath.Join(f.plan.Logs, t.Name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return
	}
	defer out.Close()
	for f.run(i, t, out) && f.plan.Keep {
	}
}

// run tells whether the task ran, and ended by itself.
func (f *floor) run(i int, t task, out *os.File) bool {
	r, w, err := os.Pipe()
	if err != nil {
		return false
	}
	cmd := exec.Command(t.Args[0], t.Args[1:]...)
	cmd.Stdout, cmd.Stderr = w, w
	cmd.SysProcAttr = apart()
	started := f.start(i, cmd)
	w.Close()
	if !started {
		r.Close()
		return false
	}
	copied := make(chan struct{})
	f.tasks.Go("output of "+t.Name, func(context.Context) {
		defer close(copied)
		defer r.Close()
		_, _ = io.Copy(out, r)
	})
	_ = cmd.Wait()
	<-copied
	return f.ended(i)
}

func (f *floor) start(i int, cmd *exec.Cmd) bool {
	f.mu.Lock()
	stopping := f.stopping
	f.mu.Unlock()
	if stopping || cmd.Start() != nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.places[i].State, f.places[i].Pid = stateRunning, cmd.Process.Pid
	if f.stopping { // it began meanwhile
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	}
	return true
}

func (f *floor) ended(i int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.places[i].State, f.places[i].Pid = "stopped", 0
	f.places[i].Restarts++
	return !f.stopping
}

func (f *floor) status() []place {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]place(nil), f.places...)
}

func (f *floor) stop() {
	f.mu.Lock()
	f.stopping = true
	for _, p := range f.places {
		if p.Pid != 0 {
			_ = syscall.Kill(-p.Pid, syscall.SIGTERM)
		}
	}
	f.mu.Unlock()
	_ = f.tasks.Wait(context.Background())
}

// runRaw starts the tasks once and copies what they write to files, by plain reads
// and writes of 64 KiB: what a log cannot be had for less.
func runRaw(args []string) error {
	p, err := readPlan(args)
	if err != nil {
		return err
	}
	r := &raw{tasks: group.New(context.Background(), nil)}
	for _, t := range p.Tasks {
		if err := r.start(p, t); err != nil {
			return err
		}
	}
	return serve(p.Socket, r)
}

type raw struct {
	tasks  *group.Group
	places []place
}

func (r *raw) start(p plan, t task) error {
	var ends [2]int
	if err := syscall.Pipe(ends[:]); err != nil {
		return err
	}
	syscall.CloseOnExec(ends[0])
	syscall.CloseOnExec(ends[1])
	out, err := os.Create(filepath.Join(p.Logs, t.Name+".log"))
	if err != nil {
		return err
	}
	w := os.NewFile(uintptr(ends[1]), "pipe")
	defer w.Close()
	cmd := exec.Command(t.Args[0], t.Args[1:]...)
	cmd.Stdout, cmd.SysProcAttr = w, apart()
	if err := cmd.Start(); err != nil {
		return errors.Join(err, out.Close(), syscall.Close(ends[0]))
	}
	r.places = append(r.places, place{Name: t.Name, State: stateRunning, Pid: cmd.Process.Pid})
	r.tasks.Go(t.Name, func(context.Context) {
		defer out.Close()
		defer syscall.Close(ends[0])
		copyRaw(int(out.Fd()), ends[0])
		_ = cmd.Wait()
	})
	return nil
}

func copyRaw(to, from int) {
	buf := make([]byte, 64<<10)
	for {
		n, err := syscall.Read(from, buf)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if n <= 0 {
			return
		}
		if _, err := syscall.Write(to, buf[:n]); err != nil {
			return
		}
	}
}

func (r *raw) status() []place { return r.places }

func (r *raw) stop() {
	for _, p := range r.places {
		_ = syscall.Kill(-p.Pid, syscall.SIGTERM)
	}
	_ = r.tasks.Wait(context.Background())
}
