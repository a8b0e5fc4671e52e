package logfile_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/host/logfile"
)

// writeUntilKilled writes numbered lines to the log at args[0], beginning with the
// name args[1], and tells on standard output up to which they are written.
func writeUntilKilled(args []string) error {
	count, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	w, err := logfile.Open(logfile.Options{Path: args[0], MaxSize: 100 << 10, Keep: 100_000, Owner: true})
	if err != nil {
		return err
	}
	sink := w.Sink(logfile.Source{Name: args[1], Stream: logfile.StreamOut})
	for n := range count {
		sink.Write(fmt.Appendf(nil, "%s %d %s\n", args[1], n, strings.Repeat("x", n%200)))
		if n%50 == 49 || n == count-1 {
			if err := w.Flush(); err != nil {
				return err
			}
			fmt.Println(n)
		}
	}
	return w.Close()
}

// writer is such a process.
type writer struct {
	name string
	cmd  *exec.Cmd
	out  *bufio.Reader
}

func startWriter(t *testing.T, path, name string, count int) *writer {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, path, name, strconv.Itoa(count))
	cmd.Env = append(os.Environ(), standIn+"=1", "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it has been waited for, if all is well
	})
	return &writer{name: name, cmd: cmd, out: bufio.NewReader(out)}
}

// wait returns the number of the last line that was said to be written.
func (w *writer) wait(t *testing.T) int {
	t.Helper()
	last := -1
	for {
		text, err := w.out.ReadString('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if last, err = strconv.Atoi(strings.TrimSpace(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.cmd.Wait(); err != nil && !strings.Contains(err.Error(), "signal: killed") {
		t.Error(err)
	}
	return last
}

// counter checks that the lines of each name come once and in their order.
type counter map[string]int

func (c counter) take(t *testing.T, l logfile.Line) {
	t.Helper()
	if l.Name == logfile.Master {
		return
	}
	var name string
	var n int
	if _, err := fmt.Sscan(l.Text, &name, &n); err != nil || name != l.Name || !strings.HasSuffix(l.Text, " "+strings.Repeat("x", n%200)) {
		t.Fatalf("damaged line %q", l.Text)
	}
	if c[name] != n {
		t.Fatalf("%s: line %d came when %d was due", name, n, c[name])
	}
	c[name]++
}

func TestTwoProcessesRotateUnderLoad(t *testing.T) {
	const count = 30_000
	path := newPath(t)
	ctx, leave := context.WithTimeout(t.Context(), time.Minute)
	defer leave()
	followed, log := make(counter), reader(t, path)
	done := make(chan error, 1)
	go func() {
		done <- logfile.Search(ctx, []*logfile.Reader{log}, logfile.Query{Lines: -1, Follow: true}, func(l logfile.Line) error {
			followed.take(t, l)
			if followed["one"] == count && followed["two"] == count {
				leave()
			}
			return nil
		})
	}()
	one, two := startWriter(t, path, "one", count), startWriter(t, path, "two", count)
	if a, b := one.wait(t), two.wait(t); a != count-1 || b != count-1 {
		t.Fatalf("written up to %d and %d", a, b)
	}
	if err := <-done; err != nil || followed["one"] != count || followed["two"] != count {
		t.Errorf("followed %v, %v", followed, err)
	}
	found := make(counter)
	for _, l := range search(t, logfile.Query{Lines: -1}, reader(t, path)) {
		found.take(t, l)
	}
	if found["one"] != count || found["two"] != count {
		t.Errorf("found %v", found)
	}
	if files, err := filepath.Glob(path + ".*"); err != nil || len(files) < 3 {
		t.Errorf("rotated %d times, %v", len(files), err)
	}
}

func TestLinesBeginLinesAfterOneThatWasCutShort(t *testing.T) {
	path := newPath(t)
	w := open(t, logfile.Options{Path: path})
	var want []string
	for i := range 3 {
		write(t, w, "math", fmt.Sprint(i))
		appendRaw(t, path, "cut short")
		want = append(want, fmt.Sprint(i), "cut short")
	}
	if got := texts(read(t, w.Reader(), 0, "")); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// Processes are killed at any moment, also while they rotate and pack; what they
// had written before is there, once, and others go on.
func TestKilledWritersLoseNothingThatWasWritten(t *testing.T) {
	path := newPath(t)
	written := make(map[string]int)
	for i := range 10 {
		steady := startWriter(t, path, fmt.Sprint("steady", i), 8000)
		victim := startWriter(t, path, fmt.Sprint("victim", i), 1_000_000)
		time.Sleep(time.Duration(20+rand.IntN(150)) * time.Millisecond) // it is about any moment
		if err := victim.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		written[victim.name], written[steady.name] = victim.wait(t)+1, steady.wait(t)+1
	}
	found := make(counter)
	for _, l := range search(t, logfile.Query{Lines: -1}, reader(t, path)) {
		if strings.HasPrefix(l.Name, "victim") && found[l.Name] >= written[l.Name] {
			continue // it may have been killed within a line
		}
		found.take(t, l)
	}
	for name, want := range written {
		if found[name] != want {
			t.Errorf("%s: %d lines of %d that were written", name, found[name], want)
		}
	}
}
