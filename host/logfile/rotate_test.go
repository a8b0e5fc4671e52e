package logfile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/host/logfile"
)

func TestNoLimitMeansNoRotation(t *testing.T) {
	path := newPath(t)
	w := open(t, logfile.Options{Path: path, Keep: 3, Owner: true})
	for range 2000 {
		write(t, w, "math", strings.Repeat("x", 1000))
	}
	if files, _ := filepath.Glob(path + ".*"); len(files) != 0 {
		t.Errorf("there are %q", files)
	}
}

func TestOldFilesAreRotatedBeforeTheNextLine(t *testing.T) {
	for _, format := range []logfile.Format{logfile.Text, logfile.JSON, logfile.Raw} {
		path := newPath(t)
		w := open(t, logfile.Options{Path: path, Format: format, MaxAge: 100 * time.Millisecond, Keep: 10, Owner: true})
		sink := w.Sink(logfile.Source{Name: "web", Stream: logfile.StreamOut})
		var want []string
		for i := range 3 {
			want = append(want, fmt.Sprint("line ", i))
			sink.Write([]byte(want[i] + "\n"))
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(150 * time.Millisecond) // the file grows old
		}
		// A file without lines is not old, however long it has been there.
		time.Sleep(150 * time.Millisecond)
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(path + ".*")
		if err != nil || len(files) != 2 {
			t.Errorf("%s: there are %q, %v", format, files, err)
		}
		newest, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(newest), "line 2") || strings.Contains(string(newest), "line 1") {
			t.Errorf("%s: the newest file is %q, %v", format, newest, err)
		}
		if got := texts(search(t, logfile.Query{Lines: -1}, w.Reader())); !slices.Equal(got, want) {
			t.Errorf("%s: got %q", format, got)
		}
	}
}

func TestRotatedFilesStayPlainIfSo(t *testing.T) {
	path := newPath(t)
	w := open(t, logfile.Options{Path: path, MaxSize: 1 << 10, Keep: 3, Plain: true, Owner: true})
	for range 200 {
		write(t, w, "math", "more than enough for some rotations")
	}
	files, err := filepath.Glob(path + ".*")
	if want := []string{path + ".1", path + ".2", path + ".3"}; err != nil || !slices.Equal(files, want) {
		t.Errorf("there are %q, %v", files, err)
	}
}

func TestLimitsCanChange(t *testing.T) {
	path := newPath(t)
	w := open(t, logfile.Options{Path: path, Owner: true})
	fill := func() {
		for range 200 {
			write(t, w, "math", "more than enough for some rotations")
		}
	}
	fill()
	w.Limit(logfile.Options{MaxSize: 1 << 10, Keep: 2, Plain: true})
	fill()
	files, err := filepath.Glob(path + ".*")
	if want := []string{path + ".1", path + ".2"}; err != nil || !slices.Equal(files, want) {
		t.Errorf("there are %q, %v", files, err)
	}
}

func TestUnknownFormatIsRefused(t *testing.T) {
	if _, err := logfile.Open(logfile.Options{Path: newPath(t), Format: "xml"}); err == nil || !strings.Contains(err.Error(), "xml") {
		t.Errorf("got %v", err)
	}
	if _, err := logfile.OpenReader(newPath(t), "xml"); err == nil || !strings.Contains(err.Error(), "xml") {
		t.Errorf("got %v", err)
	}
}

// Somebody else moves the file away again and again, and has it reopened before he
// takes it.
func TestMovedFilesHaveAllLines(t *testing.T) {
	const moves = 50
	for _, format := range []logfile.Format{logfile.Text, logfile.Raw} {
		path := newPath(t)
		w := open(t, logfile.Options{Path: path, Format: format})
		sink := w.Sink(logfile.Source{Name: "web", Stream: logfile.StreamOut})
		stop, written := make(chan struct{}), make(chan int)
		go func() {
			n := 0
			for running := true; running; n++ {
				select {
				case <-stop:
					running = false
				default:
				}
				sink.Write(fmt.Appendf(nil, "line %d\n", n))
			}
			written <- n
		}()
		var all strings.Builder
		for i := range moves {
			moved := fmt.Sprint(path, ".moved", i)
			if err := os.Rename(path, moved); err != nil {
				t.Fatal(err)
			}
			if err := w.Reopen(); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(moved)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(moved); err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
		close(stop)
		count := <-written
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
		n := 0
		for line := range strings.Lines(all.String()) {
			if strings.Contains(line, " log the log continues at offset ") {
				continue
			}
			if !strings.HasSuffix(line, fmt.Sprintf("line %d\n", n)) {
				t.Fatalf("%s: %q came when line %d was due", format, line, n)
			}
			n++
		}
		if n != count {
			t.Errorf("%s: %d lines of %d", format, n, count)
		}
	}
}
