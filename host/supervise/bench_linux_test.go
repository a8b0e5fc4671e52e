package supervise_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/cgroup"
	"github.com/dserver/dserver/host/supervise"
)

// keeper starts processes that wait, and ends them.
type keeper interface {
	start() (kept, error)
	wait() // until nothing runs in the background any more
}

// kept is a process that can be killed, and waited for together with the end of
// its output.
type kept interface {
	kill() error
	await()
}

// sleeper is what is started: it waits until it is killed.
func sleeper() []string { return []string{"/bin/sleep", "100000"} }

// plain is package os/exec with the least that can be done: a session, and the
// output copied from a pipe. It leaves behind what a process leaves behind.
type plain struct{}

type plainProcess struct {
	*exec.Cmd
	output *os.File
	ended  sync.WaitGroup
}

func (plain) start() (kept, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p := &plainProcess{Cmd: exec.Command(sleeper()[0], sleeper()[1:]...), output: r}
	p.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	p.Stdout, p.Stderr = w, w
	if err := p.Start(); err != nil {
		return nil, err
	}
	p.ended.Go(func() { io.Copy(io.Discard, r) })
	p.ended.Go(func() { p.Wait() })
	return p, w.Close()
}

func (plain) wait() {}

func (p *plainProcess) kill() error { return p.Process.Kill() }

func (p *plainProcess) await() {
	p.ended.Wait()
	p.output.Close()
}

// ours is a Spawner.
type ours struct {
	*supervise.Spawner
	b *testing.B
}

type ourProcess struct{ *supervise.Process }

func (o ours) start() (kept, error) {
	p, err := o.Start(supervise.Spec{Name: "sleep", Path: sleeper()[0], Args: sleeper(), Env: os.Environ()})
	return ourProcess{p}, err
}

func (o ours) wait() {
	if err := o.Wait(o.b.Context()); err != nil {
		o.b.Error(err)
	}
}

func (p ourProcess) kill() error { return p.Signal(syscall.SIGKILL) }

func (p ourProcess) await() { <-p.Done() }

// keepers gives both, under their names, with orphans coming to us as they do to a
// master.
func keepers(b *testing.B) (names []string, all []keeper) {
	adoptOrphans(b)
	return []string{"os/exec", "supervise"}, []keeper{plain{}, ours{supervise.New(supervise.Options{}), b}}
}

// BenchmarkRestart is the time from kill -9 until the next process runs: of
// both in turn, after everything was quiet for a while, because it is then that
// processes crash.
func BenchmarkRestart(b *testing.B) {
	names, all := keepers(b)
	processes := make([]kept, len(all))
	took := make([][]time.Duration, len(all))
	var err error
	for i, k := range all {
		if processes[i], err = k.start(); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		for i, k := range all {
			time.Sleep(30 * time.Millisecond)
			began := time.Now()
			if err = processes[i].kill(); err != nil {
				b.Fatal(err)
			}
			processes[i].await()
			if processes[i], err = k.start(); err != nil {
				b.Fatal(err)
			}
			took[i] = append(took[i], time.Since(began))
		}
	}
	for i, k := range all {
		if err := processes[i].kill(); err != nil {
			b.Error(err)
		}
		processes[i].await()
		k.wait()
		slices.Sort(took[i])
		for _, part := range []int{10, 50, 90} {
			value := took[i][len(took[i])*part/100]
			b.ReportMetric(float64(value.Microseconds()), fmt.Sprintf("µs-p%d-%s", part, names[i]))
		}
	}
}

// BenchmarkThousand is how long it takes to start and to kill 1000 processes, one
// after the other, and what memory they take.
func BenchmarkThousand(b *testing.B) {
	const count = 1000
	names, all := keepers(b)
	for b.Loop() {
		for i, k := range all {
			before := memory(b)
			began := time.Now()
			processes := make([]kept, count)
			for j := range processes {
				var err error
				if processes[j], err = k.start(); err != nil {
					b.Fatal(err)
				}
			}
			started := time.Since(began)
			used := memory(b) - before
			began = time.Now()
			var errs []error
			for _, p := range processes {
				errs = append(errs, p.kill())
			}
			for _, p := range processes {
				p.await()
			}
			if err := errors.Join(errs...); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(started.Seconds()*1000, "ms-start-"+names[i])
			b.ReportMetric(time.Since(began).Seconds()*1000, "ms-stop-"+names[i])
			b.ReportMetric(float64(used)/count, "KB-each-"+names[i])
			k.wait()
		}
	}
}

// memory is what this process has to itself, in KB.
func memory(b *testing.B) int {
	b.Helper()
	runtime.GC()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		b.Skip(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "Private_Dirty:" {
			kb, err := strconv.Atoi(f[1])
			if err != nil {
				b.Fatal(err)
			}
			return kb
		}
	}
	b.Skip("the system does not tell")
	return 0
}

// BenchmarkLife is the life of a process that ends at once, from Start until it is
// done, by what its Spec asks for.
func BenchmarkLife(b *testing.B) {
	adoptOrphans(b)
	s := supervise.New(supervise.Options{})
	tree, err := cgroup.Find(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := tree.Close(); err != nil {
			b.Error(err)
		}
	})
	nice, umask := 3, 0o027
	for name, change := range map[string]func(b *testing.B, spec *supervise.Spec){
		"plain": func(*testing.B, *supervise.Spec) {},
		"user": func(_ *testing.B, spec *supervise.Spec) {
			spec.User = &supervise.User{UID: os.Getuid(), GID: os.Getgid(), Groups: []int{}}
		},
		"thread": func(_ *testing.B, spec *supervise.Spec) { spec.Nice, spec.Umask = &nice, &umask },
		"shell": func(_ *testing.B, spec *supervise.Spec) {
			spec.Rlimits = []supervise.Rlimit{{Resource: unix.RLIMIT_CORE}}
		},
		"group": func(b *testing.B, spec *supervise.Spec) {
			g, err := tree.Make("bench", cgroup.Limits{})
			if err != nil || g == nil {
				b.Skip("there are no control groups that we may write to")
			}
			spec.Group = g
		},
	} {
		b.Run(name, func(b *testing.B) {
			spec := program("/bin/true")
			change(b, &spec)
			for b.Loop() {
				p, err := s.Start(spec)
				if err != nil {
					b.Fatal(err)
				}
				<-p.Done()
			}
		})
	}
	if err := s.Wait(b.Context()); err != nil {
		b.Error(err)
	}
}
