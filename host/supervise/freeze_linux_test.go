package supervise_test

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/internal/proc"
)

// shell is a Spec that runs a script, with a pipe as its standard input.
func shell(t testing.TB, script string, args ...string) (supervise.Spec, io.Writer) {
	t.Helper()
	// Package os makes nonblocking ones, which a shell does not expect.
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	r, w := os.NewFile(uintptr(ends[0]), "stdin"), os.NewFile(uintptr(ends[1]), "stdin")
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	return supervise.Spec{
		Name: "script", Path: "/bin/sh", Args: append([]string{"sh", "-c", script, "sh"}, args...), Env: inherit.Scrub(os.Environ()), Stdin: r,
	}, w
}

func freeze(t testing.TB, s *supervise.Spawner) {
	t.Helper()
	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Thaw)
}

// eventually waits until something is so.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for range 10_000 {
		if is() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("it does not come to be so: %s", what)
}

func isDone(p *supervise.Process) bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

func say(t testing.TB, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

func TestFrozenNothingIsBornOrBuried(t *testing.T) {
	s := spawner(t)
	p := ready(t, s, "wait")
	freeze(t, s)
	if err := s.Freeze(); err == nil || !strings.Contains(err.Error(), "they are frozen") {
		t.Errorf("frozen twice: %v", err)
	}
	if r, _ := p.Record(); r.Exit != nil {
		t.Errorf("it has ended with %v", r.Exit)
	}
	if err := p.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is dead", func() bool { return !proc.Alive(p.Pid()) })
	started := make(chan *supervise.Process)
	go func() {
		q, err := s.Start(child(t, "exit", "5"))
		if err != nil {
			t.Error(err)
		}
		started <- q
	}()
	select {
	case q := <-started:
		t.Errorf("%d was started", q.Pid())
	case <-p.Done():
		t.Error("it was buried")
	case <-time.After(50 * time.Millisecond):
	}
	if r, _ := p.Record(); r.Exit == nil || r.Exit.Signal != syscall.SIGKILL || r.Pid != p.Pid() {
		t.Errorf("the record is %+v", r)
	}
	s.Thaw()
	s.Thaw()
	if exit := await(t, p); exit.Signal != syscall.SIGKILL {
		t.Errorf("%v", exit)
	}
	if exit := await(t, <-started); exit.Code != 5 {
		t.Errorf("%v", exit)
	}
	if r, pipes := p.Record(); r.Exit == nil || r.Exit.Signal != syscall.SIGKILL || !r.Stdout.Over || !r.Stderr.Over || pipes != (supervise.Pipes{}) {
		t.Errorf("afterwards: %+v, %v", r, pipes)
	}
}

func TestFrozenOutputStaysWhereItIs(t *testing.T) {
	s := spawner(t)
	out := &pieces{came: make(chan struct{}, 100)}
	spec, in := shell(t, "printf half; read x; echo ' and half'; read x; echo more; read x")
	spec.Stdout = out
	p := start(t, s, spec)
	<-out.came
	for round, want := range []string{"half", "", ""} {
		freeze(t, s)
		r, pipes := p.Record()
		if string(r.Stdout.Rest) != want || r.Stdout.Over || pipes.Stdout == nil || pipes.Stderr == nil || pipes.Process != nil {
			t.Errorf("round %d: %+v, %v", round, r, pipes)
		}
		before := len(out.String())
		say(t, in, "\n")
		if round < 2 {
			eventually(t, "the pipe is full", func() bool { return pending(t, pipes.Stdout) > 0 })
		}
		if len(out.String()) != before {
			t.Errorf("round %d: %q came", round, out)
		}
		s.Thaw()
		if round < 2 {
			<-out.came
		}
	}
	if await(t, p); out.String() != "half and half\nmore\n" {
		t.Errorf("got %q", out)
	}
}

// pending is how much is in a pipe.
func pending(t testing.TB, pipe *os.File) (n int) {
	t.Helper()
	err := inherit.Numbers([]syscall.Conn{pipe}, func(numbers []uintptr) (err error) {
		n, err = unix.IoctlGetInt(int(numbers[0]), unix.TIOCINQ)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// pieces is a Sink that keeps all.
type pieces struct {
	mu   sync.Mutex
	text []byte
	came chan struct{}
	hold chan struct{} // if it is there: Write waits for it
}

func (p *pieces) Write(chunk []byte) {
	if p.hold != nil {
		<-p.hold
	}
	p.mu.Lock()
	p.text = append(p.text, chunk...)
	p.mu.Unlock()
	p.came <- struct{}{}
}

func (p *pieces) Finish() {}

func (p *pieces) Rest() []byte {
	text := p.String()
	return []byte(text[strings.LastIndexByte(text, '\n')+1:])
}

func (p *pieces) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.text)
}

func TestFreezeDoesNotWaitForEver(t *testing.T) {
	s := spawner(t)
	supervise.SetHaltLimit(s, 20*time.Millisecond)
	quiet := ready(t, s, "wait")
	out := &pieces{came: make(chan struct{}, 100), hold: make(chan struct{})}
	spec, in := shell(t, "echo one; read x; echo two; read x")
	spec.Stdout = out
	p := start(t, s, spec)
	var err error
	eventually(t, "the sink is called", func() bool {
		if err = s.Freeze(); err == nil {
			s.Thaw()
		}
		return err != nil
	})
	if !strings.Contains(err.Error(), "nobody takes the output of script") {
		t.Error(err)
	}
	// All goes on as if nothing had been.
	if err := quiet.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if exit := await(t, quiet); exit.Code != 7 {
		t.Error(exit)
	}
	if exit := await(t, start(t, s, child(t, "exit", "0"))); !exit.Success() {
		t.Error(exit)
	}
	close(out.hold)
	say(t, in, "\n")
	<-out.came
	<-out.came
	say(t, in, "\n")
	if exit := await(t, p); !exit.Success() || out.String() != "one\ntwo\n" {
		t.Errorf("%v, %q", exit, out)
	}
	freeze(t, s)
}

func TestIdentityCanBeHadAtAnyTime(t *testing.T) {
	s := spawner(t)
	spec, in := shell(t, "read x; exit 3")
	p := start(t, s, spec)
	first := p.Identity()
	if first.Name != "script" || first.Pid != p.Pid() || first.Ticks == 0 || first.Boot == "" || first.Invocation != p.Invocation() ||
		!first.Started.Equal(p.Started()) || first.Stdout.Pipe == 0 || first.Stderr.Pipe == 0 || first.Stdout.Pipe == first.Stderr.Pipe {
		t.Errorf("it is %+v", first)
	}
	say(t, in, "\n")
	await(t, p)
	last := p.Identity()
	if last.Exit == nil || last.Exit.Code != 3 || last.Ticks != first.Ticks || !last.Stdout.Over {
		t.Errorf("at the end it is %+v", last)
	}
	if err := p.Follow(os.Getpid()); !errors.Is(err, os.ErrProcessDone) && err == nil {
		t.Errorf("follow who has nothing to do with it: %v", err)
	}
	if slices.Contains(p.Tail(), "x") {
		t.Error("there was no output")
	}
}
