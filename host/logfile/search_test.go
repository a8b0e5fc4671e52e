package logfile_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/host/logfile"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func search(t testing.TB, q logfile.Query, logs ...*logfile.Reader) []logfile.Line {
	t.Helper()
	var lines []logfile.Line
	err := logfile.Search(context.Background(), logs, q, func(l logfile.Line) error {
		lines = append(lines, l)
		return nil
	})
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	return lines
}

// naive does what Search does to lines that are all in memory, each log in its
// order.
func naive(logs [][]logfile.Line, q logfile.Query) []logfile.Line {
	var all []logfile.Line
	for _, lines := range logs {
		for _, l := range lines {
			if wanted(l, q) {
				all = append(all, l)
			}
		}
	}
	// Within a log the order stays, even where the times say otherwise.
	var merged []logfile.Line
	rest := make([][]logfile.Line, len(logs))
	for i, lines := range logs {
		rest[i] = slices.DeleteFunc(slices.Clone(lines), func(l logfile.Line) bool { return !wanted(l, q) })
	}
	for range all {
		next := -1
		for i, lines := range rest {
			if len(lines) > 0 && (next < 0 || lines[0].Time.Before(rest[next][0].Time)) {
				next = i
			}
		}
		merged, rest[next] = append(merged, rest[next][0]), rest[next][1:]
	}
	if q.Lines >= 0 {
		return lastOf(logs, merged, q)
	}
	return merged
}

// lastOf leaves the last lines of what was merged from the last ones of each log.
func lastOf(logs [][]logfile.Line, merged []logfile.Line, q logfile.Query) []logfile.Line {
	kept := make(map[string]map[int64]bool)
	for _, lines := range logs {
		lines = slices.DeleteFunc(slices.Clone(lines), func(l logfile.Line) bool { return !wanted(l, q) })
		for _, l := range lines[max(0, len(lines)-q.Lines):] {
			if kept[l.Log] == nil {
				kept[l.Log] = make(map[int64]bool)
			}
			kept[l.Log][l.Offset] = true
		}
	}
	merged = slices.DeleteFunc(merged, func(l logfile.Line) bool { return !kept[l.Log][l.Offset] })
	return merged[max(0, len(merged)-q.Lines):]
}

func wanted(l logfile.Line, q logfile.Query) bool {
	return (len(q.Names) == 0 || slices.Contains(q.Names, l.Name)) && (q.Stream == "" || q.Stream == l.Stream) &&
		!l.Time.Before(q.Since) && (q.Until.IsZero() || l.Time.Before(q.Until)) && (q.Match == nil || q.Match.MatchString(l.Text))
}

// Logs of random content are searched in random ways, and the result is that of
// a search which has all in memory.
func TestSearchFindsWhatThereIs(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	var readers []*logfile.Reader
	var logs [][]logfile.Line
	for i, format := range []logfile.Format{logfile.Text, logfile.JSON, logfile.Text} {
		path := filepath.Join(t.TempDir(), "log")
		w := open(t, logfile.Options{Path: path, Format: format, MaxSize: 40 << 10, Keep: 100, Owner: true, Plain: i == 2})
		at := noon
		for range 800 {
			at = at.Add(time.Duration(random.IntN(40_000)) * time.Millisecond)
			late := at.Add(-time.Duration(random.IntN(3000)) * time.Millisecond)
			text := fmt.Sprint(pick("GET /", "POST /", "\"quoted\" \\ \t", "päßword "), strings.Repeat(pick("x", "y"), random.IntN(300)))
			w.Line(late, pick("web", "db", "master"), pick("log", "out", "err"), []byte(text))
			if random.IntN(30) == 0 {
				if err := w.Flush(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if i < 2 {
			settled(t, path)
		}
		r := w.Reader().Labelled(fmt.Sprint("log ", i), "owner")
		readers = append(readers, r)
		logs = append(logs, search(t, logfile.Query{Lines: -1}, r))
		if len(logs[i]) != 800 {
			t.Fatalf("seed %d: %d lines of %s", seed, len(logs[i]), format)
		}
	}
	for range 120 {
		q := logfile.Query{Lines: -1}
		if random.IntN(2) == 0 {
			q.Names = []string{pick("web", "db", "nobody"), pick("web", "master")}
		}
		if random.IntN(3) == 0 {
			q.Stream = pick("log", "out", "err")
		}
		if random.IntN(2) == 0 {
			q.Since = noon.Add(time.Duration(random.IntN(18_000)) * time.Second)
		}
		if random.IntN(2) == 0 {
			q.Until = later(q.Since, noon).Add(time.Duration(random.IntN(9000)) * time.Second)
		}
		if random.IntN(2) == 0 {
			q.Match = regexp.MustCompile(pick("^GET", "x{20}", `quoted" \\`, "ß", "never"))
		}
		if random.IntN(2) == 0 {
			q.Lines = random.IntN(100)
		}
		n := 1 + random.IntN(3)
		got, want := search(t, q, readers[:n]...), naive(logs[:n], q)
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d, %d logs, %+v: got %d lines, want %d", seed, n, q, len(got), len(want))
		}
	}
}

func TestSearchGoesOnBehindEachLog(t *testing.T) {
	one, two := open(t, logfile.Options{Path: newPath(t)}), open(t, logfile.Options{Path: newPath(t), Format: logfile.JSON})
	a, b := one.Reader(), two.Reader().Labelled("two", "two")
	one.Line(noon, "web", logfile.StreamOut, []byte("a1"))
	one.Line(noon.Add(2*time.Second), "web", logfile.StreamOut, []byte("a2"))
	got := search(t, logfile.Query{Lines: 10}, a, b)
	if !slices.Equal(texts(got), []string{"a1", "a2"}) || got[0].Log != "" {
		t.Fatalf("got %+v", got)
	}
	after := map[string]int64{"": got[0].Offset}
	two.Line(noon.Add(time.Second), "db", logfile.StreamOut, []byte("b1"))
	if got := texts(search(t, logfile.Query{After: after, Since: noon.Add(-time.Hour)}, a, b)); !slices.Equal(got, []string{"b1", "a2"}) {
		t.Errorf("got %q", got)
	}
	// Since is for logs of which nothing is known yet.
	if got := texts(search(t, logfile.Query{After: after, Since: noon.Add(time.Hour)}, a, b)); !slices.Equal(got, []string{"a2"}) {
		t.Errorf("got %q", got)
	}
}

func TestFollowedLogsAreMerged(t *testing.T) {
	var writers []*logfile.Writer
	var readers []*logfile.Reader
	for i := range 3 {
		w := open(t, logfile.Options{Path: filepath.Join(t.TempDir(), "log"), MaxSize: 4 << 10, Keep: 3, Owner: true})
		writers, readers = append(writers, w), append(readers, w.Reader().Labelled(fmt.Sprint(i), "x"))
	}
	ctx, leave := context.WithCancel(t.Context())
	lines, ended := make(chan string), make(chan error, 1)
	go func() {
		ended <- logfile.Search(ctx, readers, logfile.Query{Follow: true, Lines: 10, Names: []string{"web"}}, func(l logfile.Line) error {
			select {
			case lines <- l.Log + " " + l.Text:
			case <-ctx.Done():
			}
			return nil
		})
	}()
	next := func() string {
		select {
		case line := <-lines:
			return line
		case <-time.After(20 * time.Second):
			t.Fatal("no line came")
			return ""
		}
	}
	write(t, writers[0], "web", "first")
	if first := next(); first != "0 first" {
		t.Fatalf("got %q", first)
	}
	for n := range 100 {
		for i, w := range writers {
			write(t, w, "db", strings.Repeat("filling up ", 20))
			write(t, w, "web", fmt.Sprint(n))
			if got, want := next(), fmt.Sprint(i, " ", n); got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
		}
	}
	leave()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// bytesRead counts what this process has read, as far as the system tells.
func bytesRead(t testing.TB) (n int64) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Skip("what is read cannot be counted:", err)
	}
	if _, err := fmt.Sscanf(string(text), "rchar: %d", &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// hugeLog writes a log of a day, with a line each second.
func hugeLog(t testing.TB, path string, format logfile.Format, text string) {
	t.Helper()
	w := open(t, logfile.Options{Path: path, Format: format})
	for at := noon; at.Before(noon.Add(24 * time.Hour)); at = at.Add(time.Second) {
		w.Line(at, "web", logfile.StreamOut, []byte(text))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestATimeIsFoundWithoutReadingItAll(t *testing.T) {
	for _, format := range []logfile.Format{logfile.Text, logfile.JSON} {
		path := newPath(t)
		hugeLog(t, path, format, "GET /"+strings.Repeat("x", 200))
		r, err := logfile.OpenReader(path, format)
		if err != nil {
			t.Fatal(err)
		}
		from := noon.Add(7 * time.Hour)
		before := bytesRead(t)
		got := search(t, logfile.Query{Since: from, Until: from.Add(10 * time.Second), Lines: -1}, r)
		if len(got) != 10 || !got[0].Time.Equal(from) {
			t.Errorf("%s: %d lines", format, len(got))
		}
		got = search(t, logfile.Query{Since: from, Until: from.Add(time.Hour), Lines: 3}, r)
		if len(got) != 3 || !got[2].Time.Equal(from.Add(time.Hour-time.Second)) {
			t.Errorf("%s: %+v", format, got)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytesRead(t) - before; n > 2<<20 {
			t.Errorf("%s: read %d bytes of %d", format, n, info.Size())
		}
	}
}

func TestForeignLinesHaveTheTimeOfTheOneBefore(t *testing.T) {
	path := newPath(t)
	w := open(t, logfile.Options{Path: path})
	var want []string
	for i := range 60 {
		w.Line(noon.Add(time.Duration(i)*time.Minute), "web", logfile.StreamOut, fmt.Append(nil, i))
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		trace := strings.Repeat("goroutine 1 [running]:\n", 20_000) // more than a block
		if i != 30 {
			trace = "panic\n"
		}
		appendRaw(t, path, trace)
		if 25 <= i && i < 35 {
			want = append(append(want, fmt.Sprint(i)), strings.Split(strings.TrimSuffix(trace, "\n"), "\n")...)
		}
	}
	q := logfile.Query{Since: noon.Add(25 * time.Minute), Until: noon.Add(35 * time.Minute), Lines: -1}
	if got := texts(search(t, q, w.Reader())); !slices.Equal(got, want) {
		t.Errorf("got %d lines, want %d", len(got), len(want))
	}
	q.Names, q.Stream = []string{"master"}, "err"
	if got := search(t, q, w.Reader()); len(got) != len(want)-10 {
		t.Errorf("got %d lines, want %d", len(got), len(want)-10)
	}
}

func TestSearchEndsWithItsCaller(t *testing.T) {
	path := newPath(t)
	hugeLog(t, path, logfile.Text, "x")
	for _, q := range []logfile.Query{
		{Lines: -1, Match: regexp.MustCompile("never")},
		{Lines: 10, Match: regexp.MustCompile("never")},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("enough"))
		if err := logfile.Search(ctx, []*logfile.Reader{reader(t, path)}, q, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

func TestRawLogIsSearchedByFiles(t *testing.T) {
	path := newPath(t)
	w := open(t, logfile.Options{Path: path, Format: logfile.Raw, MaxSize: 2 << 10, Keep: 50, Owner: true})
	sink := w.Sink(logfile.Source{Name: "web", Stream: logfile.StreamErr})
	var want []string
	for i := range 500 {
		want = append(want, fmt.Sprint("line ", i, " ", strings.Repeat("x", i%40)))
		sink.Write([]byte(want[i] + "\n"))
		if i%20 == 0 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			settled(t, path) // nobody rotates while a file is packed
		}
	}
	sink.Write([]byte("the end"))
	sink.Finish()
	settled(t, path)
	r := w.Reader().Labelled(path, "web")
	got := search(t, logfile.Query{Lines: -1}, r)
	if !slices.Equal(texts(got), append(want, "the end")) || got[0].Name != "web" || got[0].Stream != "out" || !got[0].Time.IsZero() {
		t.Errorf("got %d lines, the first is %+v", len(got), got[0])
	}
	if files, _ := filepath.Glob(path + ".*"); len(files) < 3 {
		t.Errorf("there are %q", files)
	}
	for _, n := range []int{1, 7, 100, 450, 1000} {
		if last := search(t, logfile.Query{Lines: n}, r); !slices.Equal(last, got[max(0, len(got)-n):]) {
			t.Errorf("the last %d lines are %d", n, len(last))
		}
	}
	for _, i := range []int{0, 100, 300, 499} {
		q := logfile.Query{After: map[string]int64{path: got[i].Offset}}
		if rest := search(t, q, r); !slices.Equal(rest, got[i+1:]) {
			t.Errorf("behind line %d there are %d", i, len(rest))
		}
	}
	if n := len(search(t, logfile.Query{Lines: -1, Since: time.Now().Add(-time.Hour)}, r)); n != 501 {
		t.Errorf("%d lines of the last hour", n)
	}
	if n := len(search(t, logfile.Query{Lines: -1, Since: time.Now().Add(time.Hour)}, r)); n != 0 {
		t.Errorf("%d lines of the next hour", n)
	}
	if n := len(search(t, logfile.Query{Lines: -1, Names: []string{"db"}}, r)); n != 0 {
		t.Errorf("%d lines of another name", n)
	}
}

func BenchmarkSearchBackward(b *testing.B) {
	path := newPath(b)
	hugeLog(b, path, logfile.Text, "GET /"+strings.Repeat("x", 60))
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	b.ReportAllocs()
	r, match := reader(b, path), regexp.MustCompile("POST")
	for b.Loop() {
		search(b, logfile.Query{Lines: 10, Match: match}, r)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
