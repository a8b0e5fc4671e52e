package supervise

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/internal/inherit"
)

// pumpsOf gives pumps whose goroutines have ended by the end of the test.
func pumpsOf(t *testing.T) *pumps {
	p := newPumps(group.New(context.Background(), nil))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.tasks.Wait(ctx); err != nil {
			t.Error(err)
		}
	})
	return p
}

// stream is an output with what a process would hold of it.
type stream struct {
	*output
	theirs *os.File
	over   chan struct{}
}

func openStream(t *testing.T, p *pumps, sink Sink) *stream {
	t.Helper()
	o, theirs, err := p.open("test", sink, new(tail))
	if err != nil {
		t.Fatal(err)
	}
	s := &stream{output: o, theirs: theirs, over: make(chan struct{}, 2)}
	t.Cleanup(func() { theirs.Close() })
	return s
}

func (s *stream) begin() { s.start(func() { s.over <- struct{}{} }) }

func (s *stream) awaitOver(t *testing.T) {
	t.Helper()
	await(t, s.over)
	if !s.isOver() {
		t.Error("it is not over")
	}
}

func await(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(20 * time.Second):
		t.Fatal("it does not come")
	}
}

// kept is a Sink that keeps all it gets.
type kept struct {
	mu       sync.Mutex
	text     bytes.Buffer
	finished int
}

func (k *kept) Write(p []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.text.Write(p)
}

func (k *kept) Finish() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.finished++
}

func (k *kept) Rest() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	text := k.text.Bytes()
	return bytes.Clone(text[bytes.LastIndexByte(text, '\n')+1:])
}

func (k *kept) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.String()
}

func TestStreamEndsWithItsLastWriter(t *testing.T) {
	var k kept
	s := openStream(t, pumpsOf(t), &k)
	s.begin()
	if _, err := s.theirs.WriteString("one\ntwo"); err != nil {
		t.Fatal(err)
	}
	s.theirs.Close()
	s.awaitOver(t)
	s.finish()
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if k.String() != "one\ntwo" || k.finished != 1 || len(s.over) != 0 {
		t.Errorf("%q, finished %d times, over %d times more", k.String(), k.finished, len(s.over))
	}
}

func TestFinishTakesWhatIsThereAndNoMore(t *testing.T) {
	var k kept
	s := openStream(t, pumpsOf(t), &k)
	if _, err := s.theirs.WriteString("before the start\n"); err != nil {
		t.Fatal(err)
	}
	// Only so the writer goes on when the pipe is full.
	err := inherit.Numbers([]syscall.Conn{s.theirs}, func(n []uintptr) error { return unix.SetNonblock(int(n[0]), true) })
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var writer sync.WaitGroup
	defer writer.Wait()
	defer close(stop)
	s.begin()
	writer.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				fmt.Fprintf(s.theirs, "line %d\n", n)
			}
		}
	})
	s.finish()
	s.awaitOver(t)
	if got := k.String(); !strings.HasPrefix(got, "before the start\n") || k.finished != 1 {
		t.Errorf("%.40q, finished %d times", got, k.finished)
	}
}

// A writer goes on without a pause while its stream goes from hand to hand.
func TestNothingIsLostOverManyHands(t *testing.T) {
	const lines, hands = 200_000, 100
	k := new(kept)
	s := openStream(t, pumpsOf(t), k)
	want := new(bytes.Buffer)
	for i := range lines {
		fmt.Fprintf(want, "line %d of many\n", i)
	}
	want.WriteString("the end")
	theirs := s.theirs
	go func() {
		defer theirs.Close()
		for part := range slices.Chunk(want.Bytes(), 37) { // pieces of lines
			if _, err := theirs.Write(part); err != nil {
				t.Error(err)
			}
		}
	}()
	s.begin()
	var all bytes.Buffer
	for i := range hands {
		for len(k.String()) < 500 && !s.isOver() {
			runtime.Gosched()
		}
		await(t, s.halt())
		if s.isOver() {
			break
		}
		rest, last := s.rest(), k.String()
		if i%2 == 0 {
			s.start(nil) // the same goes on, and then another one
			await(t, s.halt())
			rest, last = s.rest(), k.String()
		}
		if s.isOver() {
			break
		}
		all.WriteString(strings.TrimSuffix(last, string(rest)))
		next := &stream{theirs: s.theirs, over: s.over}
		k = new(kept)
		var err error
		if next.output, err = pumpsOf(t).adopt("test", s.pipe, k, new(tail), rest); err != nil {
			t.Fatal(err)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
		next.begin()
		s = next
	}
	s.awaitOver(t)
	all.WriteString(k.String())
	if !bytes.Equal(all.Bytes(), want.Bytes()) {
		t.Errorf("%d bytes of %d came", all.Len(), want.Len())
	}
}

func TestHaltWaitsForTheSink(t *testing.T) {
	inside, release := make(chan struct{}), make(chan struct{})
	s := openStream(t, pumpsOf(t), EachLine(func([]byte, bool) {
		inside <- struct{}{}
		<-release
	}))
	s.begin()
	if _, err := s.theirs.WriteString("one\nan unfinished"); err != nil {
		t.Fatal(err)
	}
	await(t, inside)
	halted := s.halt()
	select {
	case <-halted:
		t.Error("it halted within a line")
	default:
	}
	close(release)
	await(t, halted)
	if _, err := s.theirs.WriteString(" line"); err != nil {
		t.Fatal(err)
	}
	if got := string(s.rest()); got != "an unfinished" {
		t.Errorf("the rest is %q", got)
	}
	s.finish()
	await(t, inside)
	s.awaitOver(t)
}

func TestRestOfAStreamWithoutSink(t *testing.T) {
	s := openStream(t, pumpsOf(t), nil)
	if _, err := s.theirs.WriteString("one\ntwo"); err != nil {
		t.Fatal(err)
	}
	s.begin()
	for len(s.tail.tail.list()) == 0 {
		runtime.Gosched()
	}
	await(t, s.halt())
	if got := string(s.rest()); got != "two" {
		t.Errorf("the rest is %q", got)
	}
	s.finish()
	s.awaitOver(t)
	if got := s.tail.tail.list(); len(got) != 2 || got[1] != "two" {
		t.Errorf("the tail is %q", got)
	}
}

func TestQuietStreamsCostNoGoroutines(t *testing.T) {
	p := pumpsOf(t)
	before := runtime.NumGoroutine()
	streams := make([]*stream, 200)
	for i := range streams {
		streams[i] = openStream(t, p, nil)
		streams[i].begin()
	}
	if n := runtime.NumGoroutine() - before; n > 2 {
		t.Errorf("%d goroutines for %d streams of which nothing comes", n, len(streams))
	}
	for _, s := range streams {
		s.theirs.Close()
	}
	for _, s := range streams {
		s.awaitOver(t)
	}
	p.poll.hurry(1)
	defer p.poll.hurry(-1)
	if err := p.tasks.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !p.poll.rest() {
		t.Error("the poll is open though there is no stream")
	}
}

func TestStreamThatIsNotStartedIsClosed(t *testing.T) {
	p := pumpsOf(t)
	var k kept
	s := openStream(t, p, &k)
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	s.finish()
	if k.finished != 0 || len(p.outputs) != 0 {
		t.Errorf("finished %d times, %d left", k.finished, len(p.outputs))
	}
}

// What is written a line at a time comes within the promised delay, however fast
// lines come.
func TestLinesAreNotHeldBack(t *testing.T) {
	came := make(chan string, 1000)
	s := openStream(t, pumpsOf(t), EachLine(func(line []byte, _ bool) { came <- string(line) }))
	s.begin()
	var took []time.Duration
	for i := range 300 {
		text := fmt.Sprint(i)
		began := time.Now()
		if _, err := s.theirs.WriteString(text + "\n"); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-came:
			if got != text {
				t.Fatalf("%q came, not %q", got, text)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("a line is held back")
		}
		took = append(took, time.Since(began))
	}
	// Some may wait for a busy machine.
	slices.Sort(took)
	if median := took[len(took)/2]; median > 50*time.Millisecond {
		t.Errorf("half of the lines take more than %v", median)
	}
	s.theirs.Close()
	s.awaitOver(t)
}
