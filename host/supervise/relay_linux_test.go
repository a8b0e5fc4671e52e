package supervise_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dserver/dserver/host/reexec"
	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/internal/standin"
)

// A small supervisor, which is what the tests of a change of master run: it starts
// processes, writes what they print to files and how they end to another one, and
// hands all that over to itself, in one way or another, again and again.

// relayState is what one image or process of a relay leaves to the next.
type relayState struct {
	Dir     string
	Round   int
	Started int         // short-lived processes so far
	Back    int         // images that went back so far
	Held    []relayHeld // all that were not told to have ended
}

// relayHeld is one process with the places of its pipes among the kept files; -1
// is none.
type relayHeld struct {
	Record                  supervise.Record
	Stdout, Stderr, Process int
}

// relay is the supervisor.
type relay struct {
	state relayState
	s     *supervise.Spawner

	mu     sync.Mutex // held for ever once all stands still
	untold map[string]*supervise.Process
}

func newRelay(dir string) *relay {
	return &relay{state: relayState{Dir: dir}, s: supervise.New(supervise.Options{}), untold: make(map[string]*supervise.Process)}
}

func (r *relay) start(name, path string, args ...string) error {
	stdout, err := r.sink(name, "out")
	if err != nil {
		return err
	}
	stderr, err := r.sink(name, "err")
	if err != nil {
		return err
	}
	// The watcher must not tell of the end before the process is among the untold.
	r.mu.Lock()
	defer r.mu.Unlock()
	p, err := r.s.Start(supervise.Spec{Name: name, Path: path, Args: append([]string{"child"}, args...), Env: standin.Environ("writer"), Stdout: stdout, Stderr: stderr})
	if err != nil {
		return err
	}
	r.watch(p)
	return nil
}

// watch tells of the end of p. The lock is held.
func (r *relay) watch(p *supervise.Process) {
	r.untold[p.Name()] = p
	go func() {
		<-p.Done()
		r.mu.Lock()
		defer r.mu.Unlock()
		if err := r.tell(fmt.Sprintf("%s %v\n", p.Name(), p.Exit())); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(97)
		}
		delete(r.untold, p.Name())
	}()
}

func (r *relay) tell(line string) error { return appendTo(filepath.Join(r.state.Dir, "exits"), line) }

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// idle tells whether nothing is untold.
func (r *relay) idle() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.untold) == 0
}

// fileSink appends whole lines to a file.
type fileSink struct {
	f    *os.File
	rest []byte
}

func (r *relay) sink(name, stream string) (supervise.Sink, error) {
	f, err := os.OpenFile(filepath.Join(r.state.Dir, name+"."+stream), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return &fileSink{f: f}, err
}

func (s *fileSink) Write(p []byte) {
	s.rest = append(s.rest, p...)
	end := bytes.LastIndexByte(s.rest, '\n') + 1
	if _, err := s.f.Write(s.rest[:end]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(96)
	}
	s.rest = append(s.rest[:0], s.rest[end:]...)
}

func (s *fileSink) Finish() {
	if len(s.rest) > 0 {
		s.Write([]byte("\n"))
	}
	s.f.Close()
}

func (s *fileSink) Rest() []byte { return s.rest }

// freeze makes all stand still and gives the state with the files that belong to
// it.
func (r *relay) freeze() ([]syscall.Conn, error) {
	if err := r.s.Freeze(); err != nil {
		return nil, err
	}
	r.mu.Lock()
	var files []syscall.Conn
	r.state.Held = nil
	for _, p := range r.untold {
		h := relayHeld{Stdout: -1, Stderr: -1, Process: -1}
		var pipes supervise.Pipes
		h.Record, pipes = p.Record()
		for place, pipe := range map[*int]*os.File{&h.Stdout: pipes.Stdout, &h.Stderr: pipes.Stderr} {
			if pipe != nil {
				*place = len(files)
				files = append(files, pipe)
			}
		}
		if pipes.Process != nil {
			h.Process = len(files)
			files = append(files, pipes.Process)
		}
		r.state.Held = append(r.state.Held, h)
	}
	return files, nil
}

// adopt goes on with what another one has frozen. It leaves all frozen.
func (r *relay) adopt(files []*os.File) error {
	if err := r.s.Freeze(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.state.Held {
		var pipes supervise.Pipes
		if h.Stdout >= 0 {
			pipes.Stdout = files[h.Stdout]
		}
		if h.Stderr >= 0 {
			pipes.Stderr = files[h.Stderr]
		}
		if h.Process >= 0 {
			pipes.Process = files[h.Process]
		}
		if err := r.adoptOne(h.Record, pipes); err != nil {
			return err
		}
	}
	return nil
}

func (r *relay) adoptOne(record supervise.Record, pipes supervise.Pipes) error {
	stdout, err := r.sink(record.Name, "out")
	if err != nil {
		return err
	}
	stderr, err := r.sink(record.Name, "err")
	if err != nil {
		return err
	}
	p, err := r.s.Adopt(record, pipes, supervise.Adoption{Stdout: stdout, Stderr: stderr})
	if err != nil {
		return err
	}
	r.watch(p)
	return nil
}

// writeNumbered prints lines to both streams, each in two pieces, and exits. Its
// arguments are its name, how many lines, the pause in each in µs, and the code.
// Instead of a pause there may be the path of a file that it waits for.
func writeNumbered(args []string) error {
	lines, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	pause, err := strconv.Atoi(args[2])
	if err != nil {
		for tries := 0; ; tries++ {
			if _, err := os.Stat(args[2]); err == nil {
				break
			} else if tries == 30_000 {
				return err
			}
			time.Sleep(time.Millisecond)
		}
	}
	for i := range lines {
		line := numbered(args[0], i)
		if i < lines-1 {
			line += "\n" // the last one has none
		}
		for _, part := range []string{line[:len(line)/2], line[len(line)/2:]} {
			for _, f := range []*os.File{os.Stdout, os.Stderr} {
				if _, err := f.WriteString(part); err != nil {
					return err
				}
			}
			if pause > 0 {
				time.Sleep(time.Duration(pause) * time.Microsecond)
			}
		}
	}
	return exitWith(args[3:])
}

func numbered(name string, i int) string {
	return fmt.Sprintf("%s says line %d and no more than %d", name, i, i)
}

// Of the relays' processes.
const (
	relayWriters = 20
	relayShort   = 4 // a round
)

func (r *relay) startWriters(lines int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for i := range relayWriters {
		pause, count := 200, lines
		if i%5 == 0 {
			pause, count = 0, 20*lines
		}
		name := fmt.Sprintf("writer%d", i)
		if err := r.start(name, self, name, strconv.Itoa(count), strconv.Itoa(pause), strconv.Itoa(10+i)); err != nil {
			return err
		}
	}
	return nil
}

// startShort starts processes that end at once, soon, and a little later.
func (r *relay) startShort() error {
	for i := range relayShort {
		script := fmt.Sprintf("echo so; printf long; %s exit %d", []string{"", "", "sleep 0.003;", "sleep 0.01;"}[i], r.state.Started%100)
		if i == 1 && r.state.Started%3 == 0 {
			script = "echo so; printf long; kill -9 $$"
		}
		if err := r.start(fmt.Sprintf("short%d", r.state.Started), "/bin/sh", "-c", script); err != nil {
			return err
		}
		r.state.Started++
	}
	return nil
}

// execRelay changes its program args[1] times, and ends when all that it has
// started has ended.
func execRelay(args []string) error {
	rounds, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	r := newRelay(args[0])
	t, resumed, err := reexec.Take()
	if err != nil {
		return err
	}
	if !resumed {
		err = r.startWriters(rounds * 10)
	} else {
		err = r.resume(t)
	}
	if err != nil {
		return err
	}
	if r.state.Round == rounds {
		return r.finish()
	}
	r.state.Round++
	if err := r.startShort(); err != nil {
		return err
	}
	time.Sleep(time.Duration(rand.IntN(8000)) * time.Microsecond)
	return r.change()
}

func (r *relay) resume(t *reexec.Taken) error {
	if err := json.Unmarshal(t.State(), &r.state); err != nil {
		return err
	}
	if err := r.adopt(t.Files()); err != nil {
		return err
	}
	if os.Getenv(refusing) != "" {
		return t.Back(errors.New("not this time"))
	}
	if t.Returned() != nil {
		r.state.Back++
	}
	if err := t.Accept(); err != nil {
		return err
	}
	r.s.Thaw()
	return nil
}

// refusing is the variable that makes an image go back when it has adopted all.
const refusing = "SUPERVISE_TEST_REFUSING"

// change goes on in the next image. Now and then it tries one first that cannot be
// run, or one that goes back.
func (r *relay) change() error {
	if r.state.Round%5 == 0 {
		if err := r.exec("/none", nil); !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("the system ran what does not exist: %w", err)
		}
		r.mu.Unlock()
		r.s.Thaw()
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var env []string
	if r.state.Round%4 == 0 {
		env = []string{refusing + "=1"}
	}
	return r.exec(self, env)
}

// exec returns with all frozen.
func (r *relay) exec(path string, env []string) error {
	files, err := r.freeze()
	if err != nil {
		return err
	}
	text, err := json.Marshal(r.state)
	if err != nil {
		return err
	}
	return reexec.Exec(context.Background(), reexec.Image{Path: path, Args: os.Args, Env: append(os.Environ(), env...), State: text, Files: files})
}

// finish waits for all ends and tells what is still open.
func (r *relay) finish() error {
	for !r.idle() {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.s.Wait(ctx); err != nil {
		return err
	}
	return r.tell(fmt.Sprintf("end %d of %d, %d back\n", r.state.Started, os.Getpid(), r.state.Back))
}

// checkRelay looks for what a relay has lost, told twice or got wrong.
func checkRelay(t *testing.T, dir string, rounds, lines int) {
	t.Helper()
	ends := readEnds(t, dir)
	want := make(map[string]string)
	for i := range relayWriters {
		want[fmt.Sprintf("writer%d", i)] = fmt.Sprintf("exit status %d", 10+i)
		count := lines
		if i%5 == 0 {
			count = 20 * lines
		}
		for _, stream := range []string{"out", "err"} {
			checkLines(t, dir, fmt.Sprintf("writer%d", i), stream, count)
		}
	}
	for i := range rounds * relayShort {
		name := fmt.Sprintf("short%d", i)
		want[name] = fmt.Sprintf("exit status %d", i%100)
		if i%relayShort == 1 && i%3 == 0 {
			want[name] = "signal: killed"
		}
		if text, err := os.ReadFile(filepath.Join(dir, name+".out")); err != nil || string(text) != "so\nlong\n" {
			t.Errorf("%s printed %q, %v", name, text, err)
		}
	}
	for name, how := range want {
		if got := ends[name]; len(got) != 1 || got[0] != how {
			t.Errorf("%s: told %q, want %q", name, got, how)
		}
	}
	for name := range ends {
		if want[name] == "" && name != "end" {
			t.Errorf("%s was never started", name)
		}
	}
}

// readEnds gives what was told of each process.
func readEnds(t *testing.T, dir string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "exits"))
	if err != nil {
		t.Fatal(err)
	}
	ends := make(map[string][]string)
	for line := range strings.Lines(string(text)) {
		name, how, _ := strings.Cut(strings.TrimSpace(line), " ")
		ends[name] = append(ends[name], how)
	}
	return ends
}

func checkLines(t *testing.T, dir, name, stream string, count int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name+"."+stream))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for i := range min(count, len(got)) {
		if want := numbered(name, i); got[i] != want {
			t.Fatalf("%s.%s: line %d is %q, want %q", name, stream, i, got[i], want)
		}
	}
	if len(got) != count {
		t.Errorf("%s.%s: %d lines, want %d", name, stream, len(got), count)
	}
}

func TestNothingIsLostOverExecs(t *testing.T) {
	const rounds = 50
	dir := t.TempDir()
	out := newLines()
	spec := child(t, "exec relay", dir, strconv.Itoa(rounds))
	spec.Stdout, spec.Stderr = out.sink(), out.sink()
	p := start(t, spawner(t), spec)
	select {
	case <-p.Done():
	case <-time.After(2 * time.Minute):
		t.Fatalf("it does not end: %q", p.Tail())
	}
	if exit := p.Exit(); !exit.Success() || len(p.Tail()) != 0 {
		t.Fatalf("%v: %q", exit, p.Tail())
	}
	checkRelay(t, dir, rounds, rounds*10)
	if end, want := readEnds(t, dir)["end"], fmt.Sprintf("%d of %d, %d back", rounds*relayShort, p.Pid(), rounds/4); !slices.Equal(end, []string{want}) {
		t.Errorf("at the end it said %q, want %q", end, want)
	}
}
