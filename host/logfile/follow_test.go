package logfile_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/dserver/dserver/host/logfile"
)

func TestTwoFollowersGetAll(t *testing.T) {
	path := newPath(t)
	w := open(t, logfile.Options{Path: path})
	write(t, w, "math", "before")
	first := follow(t, w.Reader(), 0, "")
	second := follow(t, w.Reader(), 0, "math")
	third := follow(t, reader(t, path), 0, "web")
	write(t, w, "math", "one")
	write(t, w, "web", "other")
	write(t, w, "math", "two")
	first.expect(t, "before", "one", "other", "two")
	second.expect(t, "before", "one", "two")
	third.expect(t, "other")
}

func TestFollowerGoesOnFromTheLastLines(t *testing.T) {
	w := open(t, logfile.Options{Path: newPath(t)})
	write(t, w, "math", "a", "b", "c")
	f := goOn(t, w.Reader(), newest(2, "math"))
	f.expect(t, "b", "c")
	write(t, w, "math", "d")
	f.expect(t, "d")
	f.leave(t)
	end, err := w.Reader().End()
	if err != nil {
		t.Fatal(err)
	}
	write(t, w, "math", "e")
	follow(t, w.Reader(), end, "").expect(t, "e")
}

func TestFollowSurvivesRotation(t *testing.T) {
	path := newPath(t)
	w := open(t, logfile.Options{Path: path, MaxSize: 1 << 10, Keep: 2, Owner: true})
	inside, outside := follow(t, w.Reader(), 0, "math"), follow(t, reader(t, path), 0, "math")
	for i := range 5 {
		write(t, w, "math", fmt.Sprint("mark ", i))
		inside.expect(t, fmt.Sprint("mark ", i))
		outside.expect(t, fmt.Sprint("mark ", i))
		rotate(t, w, path)
	}
	var previous int64
	for _, l := range read(t, w.Reader(), 0, "") {
		if l.Offset <= previous {
			t.Errorf("offset %d after %d", l.Offset, previous)
		}
		previous = l.Offset
	}
}

// A follower that is slow still gets all that is kept, even if the file it reads
// has been packed meanwhile.
func TestSlowFollowerCatchesUp(t *testing.T) {
	path := newPath(t)
	w := open(t, logfile.Options{Path: path, MaxSize: 1 << 10, Keep: 50, Owner: true})
	write(t, w, "math", "begin")
	f := follow(t, reader(t, path), 0, "math")
	f.expect(t, "begin")
	write(t, w, "math", "held back") // nobody takes it until all is written
	var want []string
	for i := range 10 {
		rotate(t, w, path)
		want = append(want, fmt.Sprint("mark ", i))
		write(t, w, "math", want[i])
	}
	f.expect(t, append([]string{"held back"}, want...)...)
}

func TestFollowWaitsForTheLog(t *testing.T) {
	path := newPath(t)
	f := follow(t, reader(t, path), 0, "")
	g := follow(t, reader(t, path+".d/log"), 0, "")
	write(t, open(t, logfile.Options{Path: path}), "math", "at last")
	f.expect(t, "at last")
	write(t, open(t, logfile.Options{Path: path + ".d/log"}), "math", "the folder, too")
	g.expect(t, "the folder, too")
}

func TestFollowWaitsForTheEndOfALine(t *testing.T) {
	path := newPath(t)
	w := open(t, logfile.Options{Path: path})
	f := follow(t, reader(t, path), 0, "")
	write(t, w, "math", "one")
	f.expect(t, "one")
	for _, part := range []string{"fatal ", "error: ", "all goroutines are asleep\n"} {
		appendRaw(t, path, part)
	}
	f.expect(t, "fatal error: all goroutines are asleep")
}

func TestFollowBeginsAnewWhenTheLogIsTruncated(t *testing.T) {
	path := newPath(t)
	w := open(t, logfile.Options{Path: path})
	f := follow(t, reader(t, path), 0, "")
	write(t, w, "math", "a line that is longer than the next")
	f.expect(t, "a line that is longer than the next")
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	write(t, w, "math", "short")
	f.expect(t, "short")
}

func TestNothingIsLeftOfFollowers(t *testing.T) {
	path := newPath(t)
	w := open(t, logfile.Options{Path: path, MaxSize: 1 << 10, Keep: 3, Owner: true})
	write(t, w, "math", "one")
	for range 4 {
		rotate(t, w, path)
	}
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("descriptors cannot be counted:", err)
		}
		return len(entries)
	}
	before := count()
	for range 50 {
		first, second := follow(t, w.Reader(), 0, ""), follow(t, w.Reader(), 0, "")
		first.next(t)
		second.next(t)
		first.leave(t)
		write(t, w, "math", "more")
		second.leave(t)
		read(t, w.Reader(), 0, "")
		last(t, w.Reader(), "", 1000)
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// Following works, if not as promptly, where the system does not watch files.
func TestFollowWithoutWatch(t *testing.T) {
	path := newPath(t)
	folder := path + ".d"
	f := follow(t, reader(t, folder+"/log"), 0, "") // the folder cannot be watched yet
	w := open(t, logfile.Options{Path: folder + "/log", MaxSize: 1 << 10, Keep: 2, Owner: true})
	for i := range 3 {
		write(t, w, "math", fmt.Sprint(i))
		for f.next(t).Text != fmt.Sprint(i) {
		}
	}
}

func TestFollowEndsAtOnce(t *testing.T) {
	w := open(t, logfile.Options{Path: newPath(t)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	q := logfile.Query{Lines: -1, Follow: true}
	if err := logfile.Search(ctx, []*logfile.Reader{w.Reader()}, q, func(logfile.Line) error { return errors.New("called") }); err != nil {
		t.Error(err)
	}
}

// Lines arrive one by one and in order when the follower is prompt.
func TestFollowKeepsOrder(t *testing.T) {
	path := newPath(t)
	w := open(t, logfile.Options{Path: path, MaxSize: 32 << 10, Keep: 100, Owner: true})
	f := follow(t, w.Reader(), 0, "math")
	var want, got []string
	go func() {
		for i := range 5000 {
			w.Line(time.Now(), "math", logfile.StreamOut, fmt.Append(nil, i))
		}
	}()
	for i := range 5000 {
		want = append(want, fmt.Sprint(i))
		got = append(got, f.next(t).Text)
	}
	if !slices.Equal(got, want) {
		t.Error("lines came out of order")
	}
}
