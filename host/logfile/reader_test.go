package logfile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/host/logfile"
)

// settled waits until the rotated file that is being packed is packed.
func settled(t testing.TB, path string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		if _, err := os.Stat(path + ".2"); errors.Is(err, fs.ErrNotExist) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a rotated file is not packed")
		}
		time.Sleep(time.Millisecond)
	}
}

// rotate fills the log until it is rotated once more.
func rotate(t testing.TB, w *logfile.Writer, path string) {
	t.Helper()
	settled(t, path)
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for {
		if now, err := os.Stat(path); err != nil {
			t.Fatal(err)
		} else if !os.SameFile(before, now) {
			settled(t, path)
			return
		}
		write(t, w, "filler", "filling up")
	}
}

func TestRotatedFilesAreKeptAndPacked(t *testing.T) {
	path := newPath(t)
	w := open(t, logfile.Options{Path: path, MaxSize: 1 << 10, Keep: 3, Owner: true})
	var offsets []int64
	for i := range 6 {
		write(t, w, "math", fmt.Sprint("mark ", i))
		end, err := w.Reader().End()
		if err != nil {
			t.Fatal(err)
		}
		offsets = append(offsets, end)
		rotate(t, w, path)
	}
	files, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{path, path + ".1", path + ".2.gz", path + ".3.gz"}; !slices.Equal(files, want) {
		t.Errorf("there are %q", files)
	}
	r := reader(t, path)
	if got := texts(read(t, r, 0, "math")); !slices.Equal(got, []string{"mark 3", "mark 4", "mark 5"}) {
		t.Errorf("kept %q", got)
	}
	for i := 3; i < 6; i++ {
		got := read(t, r, offsets[i-1], "math")
		if len(got) != 6-i || got[0].Offset != offsets[i] {
			t.Errorf("from mark %d on: %+v, want the first to end at %d", i, got, offsets[i])
		}
	}
	for n, want := range map[int]string{1: "mark 5", 2: "mark 4", 3: "mark 3", 4: "mark 3", 100: "mark 3"} {
		if got := last(t, r, "math", n); len(got) != min(n, 3) || got[0].Text != want {
			t.Errorf("the last %d begin with %+v", n, got)
		}
	}
	if got := last(t, r, "master", 100); len(got) != 0 {
		t.Errorf("the master has said %+v", got)
	}
}

func TestNothingIsKeptIfSo(t *testing.T) {
	path := newPath(t)
	w := open(t, logfile.Options{Path: path, MaxSize: 1 << 10, Owner: true})
	write(t, w, "math", "old")
	rotate(t, w, path)
	write(t, w, "math", "new")
	if got := texts(read(t, w.Reader(), 0, "math")); !slices.Equal(got, []string{"new"}) {
		t.Errorf("got %q", got)
	}
	if files, _ := filepath.Glob(path + ".*"); len(files) != 0 {
		t.Errorf("there are %q", files)
	}
}

func TestFewerAreKeptAfterAChange(t *testing.T) {
	path := newPath(t)
	w := open(t, logfile.Options{Path: path, MaxSize: 1 << 10, Keep: 5, Owner: true})
	for range 5 {
		rotate(t, w, path)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	rotate(t, open(t, logfile.Options{Path: path, MaxSize: 1 << 10, Keep: 1, Owner: true}), path)
	if files, _ := filepath.Glob(path + ".*"); !slices.Equal(files, []string{path + ".1"}) {
		t.Errorf("there are %q", files)
	}
}

func TestOnlyTheOwnerRotates(t *testing.T) {
	path := newPath(t)
	other := open(t, logfile.Options{Path: path, MaxSize: 1 << 10, Keep: 2})
	for range 100 {
		write(t, other, "math", "more than enough for a rotation")
	}
	if files, _ := filepath.Glob(path + ".*"); len(files) != 0 {
		t.Fatalf("rotated into %q", files)
	}
	other.Own(true)
	write(t, other, "math", "now")
	if _, err := os.Stat(path + ".1"); err != nil {
		t.Error("not rotated:", err)
	}
}

func TestOpenedLeadsStandardErrorToTheNewFile(t *testing.T) {
	path := newPath(t)
	var crash *os.File
	opened := 0
	hook := func(f *os.File) error {
		opened++
		var err error
		crash, err = os.OpenFile(f.Name(), os.O_APPEND|os.O_WRONLY, 0)
		return err
	}
	owner := open(t, logfile.Options{Path: path, MaxSize: 1 << 10, Keep: 2, Owner: true})
	other := open(t, logfile.Options{Path: path, Opened: hook})
	write(t, other, "math", "one")
	if opened != 0 {
		t.Error("told of the first file")
	}
	rotate(t, owner, path)
	write(t, other, "math", "two")
	if opened != 1 {
		t.Fatalf("told %d times", opened)
	}
	defer crash.Close()
	if _, err := crash.WriteString("panic: last words\n"); err != nil {
		t.Fatal(err)
	}
	got := last(t, owner.Reader(), "", 1)
	if len(got) != 1 || got[0].Text != "panic: last words" || got[0].Name != logfile.Master {
		t.Errorf("got %+v", got)
	}
}

func TestFailingHookLosesNoLine(t *testing.T) {
	path := newPath(t)
	owner := open(t, logfile.Options{Path: path, MaxSize: 1 << 10, Keep: 2, Owner: true})
	other := open(t, logfile.Options{Path: path, Opened: func(*os.File) error { return errors.New("cannot") }})
	rotate(t, owner, path)
	write(t, other, "math", "kept")
	if got := texts(read(t, other.Reader(), 0, "math")); !slices.Equal(got, []string{"kept"}) {
		t.Errorf("got %q", got)
	}
	got := texts(read(t, other.Reader(), 0, "master"))
	if len(got) != 1 || got[0] != "ERROR cannot leave the rotated log: cannot" {
		t.Errorf("the master says %q", got)
	}
}

func TestRotationThatFailsIsSaidOnce(t *testing.T) {
	path := newPath(t)
	w := open(t, logfile.Options{Path: path, MaxSize: 1 << 10, Keep: 2, Owner: true})
	if err := os.Mkdir(path+".new", 0o700); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		write(t, w, "math", "more than enough for a rotation")
	}
	if got := len(read(t, w.Reader(), 0, "math")); got != 200 {
		t.Errorf("%d lines", got)
	}
	got := texts(read(t, w.Reader(), 0, "master"))
	if len(got) != 1 || !strings.HasPrefix(got[0], "ERROR cannot rotate the log: ") {
		t.Errorf("the master says %q", got)
	}
}

// A log of random content must look the same forward and backward, from whichever
// line on, and for every name.
func TestLastAgreesWithRead(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	path := newPath(t)
	w := open(t, logfile.Options{Path: path, MaxSize: 150 << 10, Keep: 100, Owner: true})
	names := []string{"master", "math", "web", "calc-2"}
	lengths := []int{0, 10, 100, 3000, 70_000} // short ones are more likely
	for range 600 {
		text := strings.Repeat("x", lengths[min(random.IntN(len(lengths)), random.IntN(len(lengths)))])
		w.Line(time.Now(), names[random.IntN(len(names))], logfile.StreamOut, []byte(text))
		if random.IntN(20) == 0 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			appendRaw(t, path, []string{"\n", "panic: x\n", "2026-11-22T12:00:00.123456Z master log the log continues at offset x\n"}[random.IntN(3)])
		}
	}
	settled(t, path)
	write(t, w, "web", "end")
	appendRaw(t, path, "unfinished")
	r := w.Reader()
	for _, name := range append(names, "", "nobody") {
		all := read(t, r, 0, name)
		for range 40 {
			n := 1 + random.IntN(len(all)+10)
			got := last(t, r, name, n)
			if want := all[max(0, len(all)-n):]; !slices.Equal(got, want) {
				t.Fatalf("seed %d: the last %d of %d lines of %q: got %d", seed, n, len(all), name, len(got))
			}
		}
		if len(all) > 0 {
			from := random.IntN(len(all))
			if got := read(t, r, all[from].Offset, name); !slices.Equal(got, all[from+1:]) {
				t.Errorf("seed %d: behind line %d of %d there are %d", seed, from, len(all), len(got))
			}
		}
	}
}

func appendRaw(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestEmptyAndMissingLogs(t *testing.T) {
	path := newPath(t)
	for _, r := range []*logfile.Reader{
		reader(t, path+".d/none/log"),
		reader(t, path),
		open(t, logfile.Options{Path: path}).Reader(),
	} {
		end, err := r.End()
		if end != 0 || err != nil {
			t.Errorf("the end is %d, %v", end, err)
		}
		if got := last(t, r, "", 10); len(got) != 0 {
			t.Errorf("got %+v", got)
		}
		if got := read(t, r, 1<<40, ""); len(got) != 0 {
			t.Errorf("far behind the end: %+v", got)
		}
	}
}

func TestHugeForeignLineNeedsLittleMemory(t *testing.T) {
	path := newPath(t)
	w := open(t, logfile.Options{Path: path})
	appendRaw(t, path, strings.Repeat("x", 10<<20)+"\n")
	write(t, w, "math", "after")
	longest, total := 0, 0
	err := each(t.Context(), w.Reader(), 0, func(l logfile.Line) error {
		longest, total = max(longest, len(l.Text)), total+len(l.Text)
		return nil
	})
	if err != nil || longest > 128<<10 || total != 10<<20+len("after") {
		t.Errorf("%d bytes in pieces of up to %d, %v", total, longest, err)
	}
	if got := texts(last(t, w.Reader(), "", 1)); !slices.Equal(got, []string{"after"}) {
		t.Errorf("got %q", got)
	}
}

func TestReadEndsWithItsCaller(t *testing.T) {
	w := open(t, logfile.Options{Path: newPath(t)})
	write(t, w, "math", "one", "two", "three")
	enough := errors.New("enough")
	count := 0
	err := each(t.Context(), w.Reader(), 0, func(logfile.Line) error { count++; return enough })
	if err != enough || count != 1 {
		t.Errorf("%v after %d lines", err, count)
	}
	ctx, cancel := context.WithCancel(t.Context())
	count = 0
	err = each(ctx, w.Reader(), 0, func(logfile.Line) error { count++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || count != 1 {
		t.Errorf("%v after %d lines", err, count)
	}
	if err := logfile.Search(t.Context(), []*logfile.Reader{w.Reader()}, logfile.Query{Lines: -1, Follow: true}, func(logfile.Line) error { return enough }); err != enough {
		t.Errorf("a follower ended with %v", err)
	}
}

func TestDamagedPackedFileIsAnError(t *testing.T) {
	path := newPath(t)
	w := open(t, logfile.Options{Path: path})
	write(t, w, "math", "one")
	if err := os.WriteFile(path+".1.gz", bytes.Repeat([]byte("no gzip"), 100), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := each(t.Context(), w.Reader(), -1, func(logfile.Line) error { return nil }); err == nil || !strings.Contains(err.Error(), path+".1.gz") {
		t.Errorf("got %v", err)
	}
	if got := texts(last(t, w.Reader(), "", 1)); !slices.Equal(got, []string{"one"}) {
		t.Errorf("what is not damaged: %q", got)
	}
}

func BenchmarkLast(b *testing.B) {
	path := newPath(b)
	w := open(b, logfile.Options{Path: path})
	for range 200_000 {
		w.Line(time.Now(), "math", logfile.StreamOut, []byte("a line of the log that is not very long and not very short either, as lines are"))
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if got := len(last(b, w.Reader(), "math", 50)); got != 50 {
			b.Fatal(got)
		}
	}
}
