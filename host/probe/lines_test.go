package probe_test

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/dserver/dserver/host/probe"
)

// collector is a Sink that keeps what it gets.
type collector struct {
	bytes.Buffer
	finished int
}

func (c *collector) Write(p []byte) { c.Buffer.Write(p) }
func (c *collector) Finish()        { c.finished++ }
func (c *collector) Rest() []byte {
	text := c.String()
	return []byte(text[strings.LastIndexByte(text, '\n')+1:])
}

func matched(l *probe.Lines) bool {
	select {
	case <-l.Matched():
		return true
	default:
		return false
	}
}

func TestLineIsSeenHoweverItComes(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	for range 500 {
		// Lines of which one matches, or none.
		var lines []string
		for range r.IntN(20) {
			lines = append(lines, strings.Repeat("noise ", r.IntN(4)))
		}
		want := ""
		if r.IntN(2) == 0 {
			want = "server ready on port 80" + strings.Repeat("!", r.IntN(3))
			lines = append(lines, want, "ready, the second time")
		}
		text := strings.Join(lines, "\n")
		if r.IntN(2) == 0 {
			text = strings.ReplaceAll(text, "\n", "\r\n")
		}
		l := probe.NewLines(regexp.MustCompile(`ready on port \d+!*$`))
		next := &collector{}
		s := l.Tee(next)
		for rest := []byte(text); len(rest) > 0; {
			n := 1 + r.IntN(len(rest))
			piece := bytes.Clone(rest[:n])
			s.Write(piece)
			clear(piece) // it is only valid during the call
			rest = rest[n:]
		}
		if rest := s.Rest(); !bytes.Equal(rest, next.Rest()) {
			t.Fatalf("seed %d: rest %q, want %q", seed, rest, next.Rest())
		}
		s.Finish()
		if matched(l) != (want != "") || l.Line() != want {
			t.Fatalf("seed %d: %q matched with %q", seed, text, l.Line())
		}
		if next.String() != text || next.finished != 1 {
			t.Fatalf("seed %d: passed on %q, finished %d times", seed, next.String(), next.finished)
		}
	}
}

func TestLastLineNeedsNoNewline(t *testing.T) {
	l := probe.NewLines(regexp.MustCompile(`^ready$`))
	s := l.Tee(nil)
	s.Write([]byte("rea"))
	s.Write([]byte("dy"))
	if matched(l) || string(s.Rest()) != "ready" {
		t.Errorf("matched %v, rest %q", matched(l), s.Rest())
	}
	s.Finish()
	if !matched(l) {
		t.Error("it is not seen at the end")
	}
}

func TestLongLinesAreLookedAtInPart(t *testing.T) {
	const most = 64 << 10
	for _, chunk := range []int{1000, most, 1 << 20} {
		l := probe.NewLines(regexp.MustCompile(`begin|end`))
		s := l.Tee(nil)
		long := []byte(strings.Repeat("x", most) + "end\nnext\n")
		for ; len(long) > 0; long = long[min(chunk, len(long)):] {
			s.Write(long[:min(chunk, len(long))])
		}
		if matched(l) {
			t.Errorf("pieces of %d: seen behind the first 64 KiB: %.20q", chunk, l.Line())
		}
		s.Write([]byte("begin\n"))
		if l.Line() != "begin" {
			t.Errorf("pieces of %d: the next line is not seen", chunk)
		}
	}
}

func TestOneOfManyStreams(t *testing.T) {
	l := probe.NewLines(regexp.MustCompile(`^ready \d$`))
	var all sync.WaitGroup
	for i := range 8 {
		s := l.Tee(&collector{})
		all.Go(func() {
			for range 1000 {
				s.Write([]byte("not yet\n"))
			}
			s.Write([]byte("ready " + string('0'+rune(i)) + "\n"))
			s.Finish()
		})
	}
	<-l.Matched()
	first := l.Line()
	all.Wait()
	if first == "" || l.Line() != first {
		t.Errorf("got %q, then %q", first, l.Line())
	}
}

func TestLinesStopped(t *testing.T) {
	l := probe.NewLines(regexp.MustCompile(`.`))
	next := &collector{}
	s := l.Tee(next)
	l.Stop()
	s.Write([]byte("text\n"))
	if matched(l) || next.String() != "text\n" {
		t.Errorf("matched %v, passed on %q", matched(l), next.String())
	}
}

// nothing is a Sink that costs nothing.
type nothing struct{}

func (nothing) Write([]byte) {}
func (nothing) Finish()      {}
func (nothing) Rest() []byte { return nil }

// BenchmarkTee passes on 64 KiB of lines: looked at, and after a match.
func BenchmarkTee(b *testing.B) {
	chunk := []byte(strings.Repeat(strings.Repeat("x", 99)+"\n", 655))
	for _, name := range []string{"looking", "matched"} {
		b.Run(name, func(b *testing.B) {
			l := probe.NewLines(regexp.MustCompile(`ready to accept`))
			s := l.Tee(nothing{})
			if name == "matched" {
				s.Write([]byte("ready to accept\n"))
			}
			b.SetBytes(int64(len(chunk)))
			for b.Loop() {
				s.Write(chunk)
			}
		})
	}
}
