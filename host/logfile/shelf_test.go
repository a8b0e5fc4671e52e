package logfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// screen takes what is shown.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func newShelf(t *testing.T, out, err io.Writer) *Shelf {
	t.Helper()
	w, failed := Open(Options{Path: filepath.Join(t.TempDir(), "main.log")})
	if failed != nil {
		t.Fatal(failed)
	}
	s := NewShelf(w, out, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// say starts and ends a process that writes to both streams.
func say(t *testing.T, s *Shelf, o Output, name string, stdout, stderr string) {
	t.Helper()
	out, err, failed := s.Outlets(o, name, 1, 1)
	if failed != nil {
		t.Fatal(failed)
	}
	for i, outlet := range []Outlet{out, err} {
		if outlet != nil {
			outlet.Write([]byte([]string{stdout, stderr}[i]))
			outlet.Finish()
		}
	}
}

func texts(t *testing.T, r *Reader) []string {
	t.Helper()
	var all []string
	err := Search(t.Context(), []*Reader{r}, Query{Lines: -1}, func(l Line) error {
		all = append(all, l.Name+" "+l.Stream+" "+l.Text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func TestOutputGoesWhereItShall(t *testing.T) {
	var out, err screen
	s := newShelf(t, &out, &err)
	own := Options{Path: filepath.Join(t.TempDir(), "new folder", "web.log"), Format: JSON}
	say(t, s, Output{}, "none", "a\n", "b\n")
	say(t, s, Output{Log: true}, "main", "a\nb", "c\n")
	say(t, s, Output{Log: true, Own: &own}, "web", "own\n", "")
	say(t, s, Output{Log: true, Own: &own, Standard: true}, "web", "both", "err\n")
	say(t, s, Output{Standard: true}, "plain", "seen\nlast", "seen, too\n")
	if got, want := texts(t, s.main.Reader()), []string{"main err c", "main out a", "main out b"}; !slices.Equal(got, want) {
		t.Errorf("the log has %q", got)
	}
	r, failed := s.Reader(own, "web")
	if failed != nil {
		t.Fatal(failed)
	}
	if got, want := texts(t, r), []string{"web err err", "web out both", "web out own"}; !slices.Equal(got, want) {
		t.Errorf("the log of its own has %q", got)
	}
	if failed := s.Close(); failed != nil {
		t.Fatal(failed)
	}
	if out.String() != "both\nseen\nlast\n" || err.String() != "err\nseen, too\n" {
		t.Errorf("standard output was %q, standard error %q", out.String(), err.String())
	}
	// A log that is not open can be read all the same.
	if r, failed = s.Reader(own, "web"); failed != nil || len(texts(t, r)) != 3 {
		t.Errorf("%v", failed)
	}
}

func TestLogsOfTheirOwnAreShared(t *testing.T) {
	s := newShelf(t, io.Discard, io.Discard)
	path := filepath.Join(t.TempDir(), "both.log")
	var outlets []Outlet
	for i := range 4 {
		out, err, failed := s.Outlets(Output{Log: true, Own: &Options{Path: path}}, fmt.Sprint("p", i), 1, 1)
		if failed != nil {
			t.Fatal(failed)
		}
		outlets = append(outlets, out, err)
	}
	for _, o := range outlets {
		o.Write([]byte("hello\n"))
	}
	if n := len(s.all()); n != 2 {
		t.Errorf("%d logs are open", n)
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := texts(t, newReader(path, textForm{})); len(got) != 8 {
		t.Errorf("got %q", got)
	}
	link := filepath.Join(t.TempDir(), "link.log")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	say(t, s, Output{Log: true, Own: &Options{Path: link}}, "link", "x\n", "")
	if n := len(s.all()); n != 2 {
		t.Errorf("%d logs are open", n)
	}
	for i, o := range outlets {
		s.mu.Lock()
		s.clear(time.Now().Add(time.Hour))
		open := len(s.logs)
		s.mu.Unlock()
		if open != 1 {
			t.Fatalf("it was closed with %d users", len(outlets)-i)
		}
		o.Finish()
	}
	s.mu.Lock()
	s.clear(time.Now().Add(unusedLimit / 2))
	soon := len(s.logs)
	s.clear(time.Now().Add(2 * unusedLimit))
	late := len(s.logs)
	s.mu.Unlock()
	if soon != 1 || late != 0 {
		t.Errorf("%d logs are open soon after, %d long after", soon, late)
	}
}

func TestLogsThatCannotBeAreRefused(t *testing.T) {
	s := newShelf(t, io.Discard, io.Discard)
	dir := t.TempDir()
	text := filepath.Join(dir, "text.log")
	say(t, s, Output{Log: true, Own: &Options{Path: text}}, "web", "x\n", "")
	for want, own := range map[string]Options{
		"not absolute":   {Path: "web.log"},
		"another format": {Path: text, Format: JSON},
		"log format":     {Path: text, Format: "xml"},
		"regular file":   {Path: "/dev/null"},
		"director":       {Path: filepath.Join(text, "x.log")},
	} {
		_, _, err := s.Outlets(Output{Log: true, Own: &own}, "web", 1, 1)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "cannot keep the output of web: ") {
			t.Errorf("%+v: %v", own, err)
		}
	}
	// That of the instance is what it is, under any name.
	say(t, s, Output{Log: true, Own: &Options{Path: s.main.options.Path, Format: JSON}}, "web", "main\n", "")
	if got := texts(t, s.main.Reader()); !slices.Equal(got, []string{"web out main"}) {
		t.Errorf("got %q", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Outlets(Output{Log: true, Own: &Options{Path: text}}, "web", 1, 1); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestTroubleWithALogIsSaidInThatOfTheInstance(t *testing.T) {
	s := newShelf(t, io.Discard, io.Discard)
	path := filepath.Join(t.TempDir(), "folder", "web.log")
	out, err, failed := s.Outlets(Output{Log: true, Own: &Options{Path: path, Format: Raw}}, "web", 1, 1)
	if failed != nil {
		t.Fatal(failed)
	}
	folder := filepath.Dir(path)
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	out.Write([]byte("one\ntwo\n"))
	if s.Flush() == nil {
		t.Error("it was written")
	}
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	out.Write([]byte("three\n"))
	if err := s.Flush(); err != nil {
		t.Error(err)
	}
	got := texts(t, s.main.Reader())
	if len(got) != 1 || !strings.Contains(got[0], "master log ERROR "+path+": 2 lines of the log are lost: ") {
		t.Errorf("the log says %q", got)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "three\n" {
		t.Errorf("%q, %v", text, err)
	}
	out.Finish()
	err.Finish()
}

// wall is a standard output that takes nothing until it falls.
type wall struct {
	screen
	fallen chan struct{}
}

func (w *wall) Write(p []byte) (int, error) {
	<-w.fallen
	return w.screen.Write(p)
}

func TestBlockedStandardOutputHoldsBackAndLosesNothing(t *testing.T) {
	w := &wall{fallen: make(chan struct{})}
	s := newShelf(t, w, w)
	out, err, failed := s.Outlets(Output{Standard: true}, "web", 1, 1)
	if failed != nil {
		t.Fatal(failed)
	}
	line := strings.Repeat("x", 1000) + "\n"
	written := make(chan int, 10_000)
	go func() {
		defer close(written)
		for n := range 5000 {
			out.Write([]byte(line))
			written <- n
		}
	}()
	time.Sleep(200 * time.Millisecond) // in which more could be taken than there is room for
	if n := len(written); n > 3000 {
		t.Errorf("%d lines were taken by nobody", n)
	}
	close(w.fallen)
	for range written {
	}
	out.Finish()
	err.Finish()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(w.String(), line); got != 5000 {
		t.Errorf("%d lines were shown", got)
	}
}

func TestALineWithoutEndIsNotHeldBackForStandardOutput(t *testing.T) {
	var screen screen
	s := newShelf(t, &screen, io.Discard)
	out, err, failed := s.Outlets(Output{Standard: true}, "web", 1, 1)
	if failed != nil {
		t.Fatal(failed)
	}
	text := strings.Repeat("0123456789", maxText/3)
	for part := range slices.Chunk([]byte(text), 50_000) {
		out.Write(part)
		if n := len(out.Rest()); n > maxText {
			t.Fatalf("%d bytes are held back", n)
		}
	}
	out.Finish()
	err.Finish()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := screen.String(); got != text+"\n" {
		t.Errorf("%d bytes became %d", len(text), len(got))
	}
}

// Whoever stops the terminal for good does not stop the programs.
func TestNobodyWaitsLongForStandardOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wall{fallen: make(chan struct{})}
		e := newPatientEcho(w)
		lines := bytes.Repeat([]byte("x\n"), maxEcho/2)
		for _, want := range []time.Duration{0, 0, patience, 0} {
			began := time.Now()
			e.add(lines)
			if took := time.Since(began); took != want {
				t.Errorf("it took %v, want %v", took, want)
			}
			synctest.Wait() // the first of them are taken, and stay with the wall
		}
		close(w.fallen)
		synctest.Wait()
		e.close()
		if got, want := w.String(), fmt.Sprintf("(%d lines are not shown here)\n", maxEcho); !strings.HasSuffix(got, want) || len(got) != 2*maxEcho+len(want) {
			t.Errorf("%d bytes are shown, the end is %q", len(got), got[max(0, len(got)-50):])
		}
	})
}

func TestShelfOwnsAndReopensAll(t *testing.T) {
	s := newShelf(t, io.Discard, io.Discard)
	path := filepath.Join(t.TempDir(), "web.log")
	own := Options{Path: path, MaxSize: 1 << 10, Keep: 2, Plain: true}
	out, err, failed := s.Outlets(Output{Log: true, Own: &own}, "web", 1, 1)
	if failed != nil {
		t.Fatal(failed)
	}
	defer err.Finish()
	defer out.Finish()
	fill := func() {
		for range 50 {
			out.Write(bytes.Repeat([]byte("x\n"), 50))
			if err := s.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill()
	if files, _ := filepath.Glob(path + ".*"); len(files) != 0 {
		t.Errorf("there are %q", files)
	}
	s.Own(true)
	fill()
	if files, _ := filepath.Glob(path + ".*"); len(files) != 2 {
		t.Errorf("there are %q", files)
	}
	for _, w := range s.all() {
		if err := os.Rename(w.options.Path, w.options.Path+".away"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Reopen(); err != nil {
		t.Fatal(err)
	}
	for _, w := range s.all() {
		if _, err := os.Stat(w.options.Path); err != nil {
			t.Error(err)
		}
	}
}
