package logfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dserver/dserver/host/logfile"
)

func TestWrittenLinesAreRead(t *testing.T) {
	path := newPath(t)
	w := open(t, logfile.Options{Path: path})
	when := time.Date(2026, 11, 22, 15, 18, 25, 123456789, time.UTC)
	w.Line(when, "math", logfile.StreamOut, []byte("one"))
	w.Line(when, "web", logfile.StreamErr, []byte("two"))
	got := read(t, w.Reader(), 0, "")
	at := when.Truncate(time.Microsecond)
	want := []logfile.Line{
		{Offset: 41, Time: at, Name: "math", Stream: "out", Text: "one"},
		{Offset: 81, Time: at, Name: "web", Stream: "err", Text: "two"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
	if got := texts(read(t, w.Reader(), got[0].Offset, "")); !slices.Equal(got, []string{"two"}) {
		t.Errorf("behind the first: %q", got)
	}
	content, err := os.ReadFile(path)
	if err != nil || string(content) != "2026-11-22T15:18:25.123456Z math out one\n2026-11-22T15:18:25.123456Z web err two\n" {
		t.Errorf("%q, %v", content, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestLinesAreWrittenWithoutFlush(t *testing.T) {
	path := newPath(t)
	w := open(t, logfile.Options{Path: path})
	f := follow(t, reader(t, path), 0, "")
	w.Line(time.Now(), "math", logfile.StreamOut, []byte("by itself"))
	f.expect(t, "by itself")
}

func TestDirectLinesStayBelowWhatIsTakenInOnePiece(t *testing.T) {
	var out bytes.Buffer
	logfile.Direct(&out).Line(time.Now(), strings.Repeat("n", 63), logfile.StreamLog, bytes.Repeat([]byte("x"), 1<<20))
	for line := range bytes.Lines(out.Bytes()) {
		if len(line) > 64<<10 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
}

func TestUnfinishedLastLineIsFinishedByTheNextWriter(t *testing.T) {
	path := newPath(t)
	if err := os.WriteFile(path, []byte("fatal error: out of mem"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := reader(t, path)
	if got := read(t, r, 0, "master"); len(got) != 1 || got[0].Text != "fatal error: out of mem" || !got[0].Time.IsZero() || got[0].Stream != "err" {
		t.Errorf("got %+v", got)
	}
	if got := texts(last(t, r, "", 1)); len(got) != 1 {
		t.Errorf("the last line is %q", got)
	}
	f := follow(t, r, 0, "")
	w := open(t, logfile.Options{Path: path})
	write(t, w, "math", "next")
	f.expect(t, "fatal error: out of mem", "next")
}

func TestRemovedLogIsMadeAgain(t *testing.T) {
	path := newPath(t)
	w := open(t, logfile.Options{Path: path})
	write(t, w, "math", "one")
	f := follow(t, reader(t, path), 0, "")
	f.expect(t, "one")
	before, err := w.Reader().End()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	write(t, w, "math", "two")
	got := read(t, w.Reader(), before, "")
	if len(got) != 1 || got[0].Text != "two" || got[0].Offset <= before {
		t.Errorf("got %+v after %d", got, before)
	}
	f.expect(t, "two")
}

func TestWhatCouldNotBeWrittenIsSaid(t *testing.T) {
	full := "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip("there is no ", full)
	}
	path := newPath(t)
	if err := os.Symlink(full, path); err != nil {
		t.Fatal(err)
	}
	w := open(t, logfile.Options{Path: path})
	for range 3 {
		w.Line(time.Now(), "math", logfile.StreamOut, []byte("lost"))
		if err := w.Flush(); err == nil || !strings.Contains(err.Error(), "cannot write the log: ") {
			t.Errorf("got %v", err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write(t, w, "math", "kept")
	got := texts(read(t, w.Reader(), 0, ""))
	if len(got) != 2 || !strings.HasPrefix(got[0], "ERROR 3 lines of the log are lost: ") || got[1] != "kept" {
		t.Errorf("got %q", got)
	}
}

func TestOpenSaysWhyItCannot(t *testing.T) {
	file := newPath(t)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file + "/x/log", filepath.Dir(file)} {
		if _, err := logfile.Open(logfile.Options{Path: path}); err == nil || !strings.HasPrefix(err.Error(), "cannot open the log: ") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestClosedWriterTakesNothing(t *testing.T) {
	path := newPath(t)
	w := open(t, logfile.Options{Path: path})
	w.Line(time.Now(), "math", logfile.StreamOut, []byte("one"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.Line(time.Now(), "math", logfile.StreamOut, []byte("two"))
	if err := w.Flush(); err != nil {
		t.Error(err)
	}
	if err := w.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a second close: %v", err)
	}
	if got := texts(read(t, reader(t, path), 0, "")); !slices.Equal(got, []string{"one"}) {
		t.Errorf("got %q", got)
	}
}

func TestEchoShowsTheSameLines(t *testing.T) {
	path := newPath(t)
	var shown bytes.Buffer
	w := open(t, logfile.Options{Path: path, Echo: &shown})
	write(t, w, "math", "one", "two")
	write(t, w, "math", "three")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil || shown.String() != string(content) {
		t.Errorf("shown %q, written %q, %v", shown.String(), content, err)
	}
}

// gate is a terminal that takes nothing until it is opened.
type gate struct {
	open  chan struct{}
	shown bytes.Buffer
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	return g.shown.Write(p)
}

func TestStoppedTerminalStopsNothing(t *testing.T) {
	terminal := &gate{open: make(chan struct{})}
	w := open(t, logfile.Options{Path: newPath(t), Echo: terminal})
	line := strings.Repeat("x", 60<<10)
	const count = 100
	for range count {
		write(t, w, "math", line)
	}
	if got := len(read(t, w.Reader(), 0, "")); got != count {
		t.Errorf("%d lines in the log", got)
	}
	close(terminal.open)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	// Each write to the terminal ends with a note of what was left out before it, if anything.
	shown, skipped := bytes.Count(terminal.shown.Bytes(), []byte(line+"\n")), 0
	for _, note := range regexp.MustCompile(`\((\d+) lines are not shown here; they are in the log\)\n`).FindAllSubmatch(terminal.shown.Bytes(), -1) {
		n, _ := strconv.Atoi(string(note[1]))
		skipped += n
	}
	if skipped == 0 || shown+skipped != count {
		t.Errorf("%d lines shown and %d not, the end is %q", shown, skipped, terminal.shown.String()[max(0, terminal.shown.Len()-80):])
	}
}

func TestManyWritersLoseNothingOverRotations(t *testing.T) {
	const writers, goroutines, count = 4, 5, 2000
	path := newPath(t)
	follower := follow(t, reader(t, path), 0, "")
	followed := make(chan []string, 1)
	go func() {
		var got []string
		for len(got) < writers*goroutines*count {
			select {
			case l := <-follower.lines:
				got = append(got, l.Text)
			case <-time.After(20 * time.Second):
				followed <- got
				return
			}
		}
		followed <- got
	}()
	var wg sync.WaitGroup
	for i := range writers {
		// Two owners at once are no harm.
		w := open(t, logfile.Options{Path: path, MaxSize: 64 << 10, Keep: 1000, Owner: i < 2})
		for j := range goroutines {
			wg.Go(func() {
				for n := range count {
					w.Line(time.Now(), "math", logfile.StreamOut, fmt.Appendf(nil, "%d %d %d", i, j, n))
					if n%100 == 99 {
						if err := w.Flush(); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
	}
	wg.Wait()
	checkComplete(t, "followed", <-followed, writers, goroutines, count)
	checkComplete(t, "read", texts(read(t, reader(t, path), 0, "")), writers, goroutines, count)
	if files, err := filepath.Glob(path + ".*"); err != nil || len(files) == 0 {
		t.Errorf("never rotated, %v", err)
	}
}

// checkComplete wants every line once, and those of one goroutine in their order.
func checkComplete(t *testing.T, what string, got []string, writers, goroutines, count int) {
	t.Helper()
	next := make(map[[2]int]int)
	for _, text := range got {
		var i, j, n int
		if _, err := fmt.Sscan(text, &i, &j, &n); err != nil {
			t.Fatalf("%s: damaged line %q", what, text)
		}
		if next[[2]int{i, j}] != n {
			t.Fatalf("%s: %q came when %d was due", what, text, next[[2]int{i, j}])
		}
		next[[2]int{i, j}]++
	}
	if want := writers * goroutines * count; len(got) != want {
		t.Errorf("%s: %d lines, want %d", what, len(got), want)
	}
}

func BenchmarkLine(b *testing.B) {
	w := open(b, logfile.Options{Path: newPath(b), MaxSize: 64 << 20, Keep: 1, Owner: true})
	text := bytes.Repeat([]byte("x"), 100)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		w.Line(time.Now(), "math", logfile.StreamOut, text)
	}
}

var _ io.Writer = (*gate)(nil)
