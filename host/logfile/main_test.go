package logfile_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/dserver/dserver/host/logfile"
)

// standIn is the variable that turns the test binary into a process that writes.
const standIn = "LOGFILE_TEST_WRITER"

func TestMain(m *testing.M) {
	if os.Getenv(standIn) == "" {
		goleak.VerifyTestMain(m)
		return
	}
	if err := writeUntilKilled(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "dserver.log") }

// open opens a Writer that is closed at the end of the test.
func open(t testing.TB, o logfile.Options) *logfile.Writer {
	t.Helper()
	w, err := logfile.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return w
}

func write(t testing.TB, w *logfile.Writer, name string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		w.Line(time.Now(), name, logfile.StreamOut, []byte(text))
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
}

// reader gives a Reader of the text log at path.
func reader(t testing.TB, path string) *logfile.Reader {
	t.Helper()
	r, err := logfile.OpenReader(path, logfile.Text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// from selects the lines of a name, or of all if it is empty, from an offset on.
func from(since int64, name string) logfile.Query {
	q := logfile.Query{After: map[string]int64{"": since}}
	if name != "" {
		q.Names = []string{name}
	}
	return q
}

// newest selects the last lines of a name, or of all.
func newest(n int, name string) logfile.Query {
	q := from(0, name)
	q.After, q.Lines = nil, n
	return q
}

// each calls emit for all lines from an offset on.
func each(ctx context.Context, r *logfile.Reader, since int64, emit func(logfile.Line) error) error {
	return logfile.Search(ctx, []*logfile.Reader{r}, from(since, ""), emit)
}

// read gives all lines of a name from an offset on.
func read(t testing.TB, r *logfile.Reader, since int64, name string) []logfile.Line {
	t.Helper()
	return search(t, from(since, name), r)
}

func last(t testing.TB, r *logfile.Reader, name string, n int) []logfile.Line {
	t.Helper()
	return search(t, newest(n, name), r)
}

func texts(lines []logfile.Line) []string {
	var all []string
	for _, l := range lines {
		all = append(all, l.Text)
	}
	return all
}

// follower is a Search that goes on.
type follower struct {
	lines chan logfile.Line
	stop  context.CancelFunc
	ended chan error
}

func follow(t testing.TB, r *logfile.Reader, since int64, name string) *follower {
	t.Helper()
	return goOn(t, r, from(since, name))
}

func goOn(t testing.TB, r *logfile.Reader, q logfile.Query) *follower {
	t.Helper()
	q.Follow = true
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{lines: make(chan logfile.Line), stop: cancel, ended: make(chan error, 1)}
	go func() {
		f.ended <- logfile.Search(ctx, []*logfile.Reader{r}, q, func(l logfile.Line) error {
			select {
			case f.lines <- l:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	t.Cleanup(func() { f.leave(t) })
	return f
}

func (f *follower) leave(t testing.TB) {
	if f.ended == nil {
		return
	}
	f.stop()
	select {
	case err := <-f.ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("a follower does not leave")
	}
	f.ended = nil
}

func (f *follower) next(t testing.TB) logfile.Line {
	t.Helper()
	select {
	case l := <-f.lines:
		return l
	case err := <-f.ended:
		f.ended <- err
		t.Fatal("the follower ended:", err)
	case <-time.After(20 * time.Second):
		t.Fatal("no line came")
	}
	return logfile.Line{}
}

func (f *follower) expect(t testing.TB, texts ...string) {
	t.Helper()
	for _, want := range texts {
		if got := f.next(t); got.Text != want {
			t.Fatalf("got %q, want %q", got.Text, want)
		}
	}
}
