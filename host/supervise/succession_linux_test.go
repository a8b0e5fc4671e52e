package supervise_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/internal/standin"
)

// In a succession another process goes on, to which all is sent; the processes
// become children of whoever takes orphans.

// succeedRelay hands over to a next process args[1] times.
func succeedRelay(args []string) error {
	rounds, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	r := newRelay(args[0])
	if os.Getenv(predecessor) == "" {
		err = r.startWriters(rounds * 50)
	} else {
		err = r.succeed()
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
	return r.handOver()
}

// predecessor is the variable that says that descriptor 3 leads to one.
const predecessor = "SUPERVISE_TEST_PREDECESSOR"

// handOver starts the next process, sends all to it, and ends when that one says
// that it has everything.
func (r *relay) handOver() error {
	ours, theirs, err := inherit.PacketPair()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	err = inherit.Numbers([]syscall.Conn{null, os.Stdout, os.Stderr, theirs}, func(numbers []uintptr) error {
		_, err := syscall.ForkExec(self, os.Args, &syscall.ProcAttr{Files: numbers, Env: append(os.Environ(), predecessor+"=1")})
		return err
	})
	if err != nil {
		return err
	}
	if err := theirs.Close(); err != nil {
		return err
	}
	files, err := r.freeze()
	if err != nil {
		return err
	}
	text, err := json.Marshal(r.state)
	if err != nil {
		return err
	}
	state, err := inMemory(text)
	if err != nil {
		return err
	}
	for i, f := range append([]syscall.Conn{state}, files...) {
		if err := inherit.SendFile(ours, strconv.Itoa(i), f); err != nil {
			return err
		}
	}
	if err := ours.CloseWrite(); err != nil {
		return err
	}
	_, err = ours.Read(make([]byte, 1))
	return err
}

func inMemory(text []byte) (*os.File, error) {
	number, err := unix.MemfdCreate("state", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(number), "state")
	_, err = f.WriteAt(text, 0)
	return f, err
}

// succeed takes everything over, lets the predecessor end, and begins only then.
func (r *relay) succeed() error {
	conn, err := net.FileConn(os.NewFile(3, "predecessor"))
	if err != nil {
		return err
	}
	over := conn.(*net.UnixConn)
	var files []*os.File
	for {
		_, f, err := inherit.ReceiveFile(over)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	if len(files) == 0 {
		return errors.New("the predecessor sent nothing")
	}
	text, err := io.ReadAll(io.NewSectionReader(files[0], 0, 1<<30))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &r.state); err != nil {
		return err
	}
	if err := r.adopt(files[1:]); err != nil {
		return err
	}
	for _, f := range files {
		if err := f.Close(); err != nil {
			return err
		}
	}
	before, err := unix.PidfdOpen(os.Getppid(), 0)
	if err != nil {
		return err
	}
	if _, err := over.Write([]byte{0}); err != nil {
		return err
	}
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(before), Events: unix.POLLIN}}, 20_000); n != 1 {
		return fmt.Errorf("the predecessor lives on: %w", err)
	}
	r.s.Thaw()
	return errors.Join(over.Close(), unix.Close(before))
}

// takeOrphans becomes who gets all orphans, runs a succession, and reaps everybody at
// once until nobody is left.
func takeOrphans(args []string) error {
	if err := supervise.Subreap(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if _, err := syscall.ForkExec(self, append([]string{"child"}, args...), &syscall.ProcAttr{Files: []uintptr{0, 1, 2}, Env: standin.Environ("succession")}); err != nil {
		return err
	}
	for {
		if _, err := syscall.Wait4(-1, nil, 0, nil); err == syscall.ECHILD {
			return nil
		}
	}
}

func TestNothingIsLostOverSuccessions(t *testing.T) {
	for _, launcher := range []string{"take orphans", "succession"} {
		t.Run(launcher, func(t *testing.T) {
			const rounds = 10
			dir := t.TempDir()
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(self, dir, strconv.Itoa(rounds))
			cmd.Env = standin.Environ(launcher)
			// All of them hold it: it ends with the last.
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			cmd.Stdout, cmd.Stderr = w, w
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			w.Close()
			if err := r.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
				t.Fatal(err)
			}
			said, err := io.ReadAll(r)
			if waitErr := cmd.Wait(); err != nil || waitErr != nil || len(said) > 0 {
				t.Fatalf("%v, %v: %s", err, waitErr, said)
			}
			checkRelay(t, dir, rounds, rounds*50)
			if end := readEnds(t, dir)["end"]; len(end) != 1 {
				t.Errorf("at the end it said %q", end)
			}
		})
	}
}

// keptLines is more than a pipe holds.
const keptLines = 5000

// keepRelay starts writers with what its arguments after the folder say: how many
// lines, the pause, and a name for each. It writes down who they are, and waits to
// be killed. If that is there already, it goes on with them.
func keepRelay(args []string) error {
	r := newRelay(args[0])
	path := filepath.Join(args[0], "state")
	text, err := os.ReadFile(path)
	if err == nil {
		if err := json.Unmarshal(text, &r.state); err != nil {
			return err
		}
		r.mu.Lock()
		for _, h := range r.state.Held {
			if err := r.adoptOne(h.Record, supervise.Pipes{}); err != nil {
				return err
			}
		}
		r.mu.Unlock()
		fmt.Println("adopted")
		return r.finish()
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for i, name := range args[3:] {
		if err := r.start(name, self, name, args[1], args[2], strconv.Itoa(30+i)); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.untold {
		r.state.Held = append(r.state.Held, relayHeld{Record: p.Identity(), Stdout: -1, Stderr: -1, Process: -1})
	}
	if text, err = json.Marshal(r.state); err != nil {
		return err
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return err
	}
	fmt.Println("ready")
	select {}
}

// startKeeper starts a keeper in a session of its own and gives its first line.
func startKeeper(t *testing.T, args ...string) (*exec.Cmd, string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = standin.Environ("keep")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 100)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(string(line[:n]))
}

func TestNothingIsLostWhenTheMasterIsKilled(t *testing.T) {
	dir := t.TempDir()
	begin := filepath.Join(dir, "go")
	master, said := startKeeper(t, dir, strconv.Itoa(keptLines), begin, "one", "two", "three")
	if said != "ready" {
		t.Fatal(said)
	}
	if err := master.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	master.Wait()
	// They write while nobody reads, more than a pipe holds, and go on doing so
	// while they are adopted.
	if err := os.WriteFile(begin, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	next, said := startKeeper(t, dir)
	if said != "adopted" {
		t.Fatal(said)
	}
	if err := next.Wait(); err != nil {
		t.Fatal(err)
	}
	ends := readEnds(t, dir)
	for i, name := range []string{"one", "two", "three"} {
		for _, stream := range []string{"out", "err"} {
			checkLines(t, dir, name, stream, keptLines)
		}
		if got, want := ends[name], fmt.Sprintf("exit status %d", 30+i); len(got) != 1 || got[0] != want {
			t.Errorf("%s: told %q, want %q", name, got, want)
		}
	}
}

func TestMasterIsKilledAtAnyMoment(t *testing.T) {
	const kills, lines = 10, 60_000
	dir := t.TempDir()
	names := []string{"one", "two", "three", "four"}
	master, said := startKeeper(t, append([]string{dir, strconv.Itoa(lines), "0"}, names...)...)
	for range kills {
		time.Sleep(time.Duration(rand.IntN(5000)) * time.Microsecond)
		if err := master.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		master.Wait()
		if master, said = startKeeper(t, dir); said != "adopted" {
			t.Fatal(said)
		}
	}
	if err := master.Wait(); err != nil {
		t.Fatal(err)
	}
	ends := readEnds(t, dir)
	for i, name := range names {
		// Who ends while nobody is there may be missed; nobody else.
		if got, want := ends[name], fmt.Sprintf("exit status %d", 30+i); len(got) == 0 || got[len(got)-1] != want && got[len(got)-1] != "exit status unknown" {
			t.Errorf("%s: told %q, want %q", name, got, want)
		}
		for _, stream := range []string{"out", "err"} {
			checkSeams(t, dir, name, stream, kills)
		}
	}
}

// checkSeams looks for lines that come twice or in disorder, and for more damaged
// ones than masters were killed.
func checkSeams(t *testing.T, dir, name, stream string, kills int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name+"."+stream))
	if err != nil {
		t.Fatal(err)
	}
	last, damaged := -1, 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		var i int
		// Two halves of lines do not say the same number twice.
		if _, err := fmt.Sscanf(line, name+" says line %d and no more", &i); err != nil || line != numbered(name, i) {
			damaged++
			continue
		}
		if i <= last {
			t.Fatalf("%s.%s: line %d comes after %d", name, stream, i, last)
		}
		last = i
	}
	if damaged > kills {
		t.Errorf("%s.%s: %d damaged lines of %d kills", name, stream, damaged, kills)
	}
}
