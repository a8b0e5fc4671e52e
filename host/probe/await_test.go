//go:build linux

package probe_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dserver/dserver/host/probe"
	"github.com/dserver/dserver/internal/loopback"
)

// patient is a Prober that is well at its n-th answer.
type patient struct {
	asked []time.Duration
	began time.Time
	n     int
}

func (p *patient) Ask(context.Context) error {
	p.asked = append(p.asked, time.Since(p.began))
	if len(p.asked) == p.n {
		return nil
	}
	return fmt.Errorf("not well at the question %d", len(p.asked))
}

func TestAwaitAsksEverMoreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &patient{began: time.Now(), n: 40}
		if err := probe.Await(t.Context(), p, probe.Pace{}); err != nil {
			t.Fatal(err)
		}
		if p.asked[0] != 0 || p.asked[1] != time.Millisecond || p.asked[2] != 2500*time.Microsecond {
			t.Errorf("the first questions came at %v", p.asked[:3])
		}
		for i := 1; i < len(p.asked); i++ {
			gap := p.asked[i] - p.asked[i-1]
			if gap > 250*time.Millisecond || i > 20 && gap != 250*time.Millisecond {
				t.Errorf("the pause %d is %v", i, gap)
			}
		}
	})
}

func TestAwaitTellsTheLastAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("enough"))
		defer cancel()
		p := &patient{began: time.Now()}
		err := probe.Await(ctx, p, probe.Pace{First: 300 * time.Millisecond, Longest: time.Minute})
		if got := errorText(err); got != "not well at the question 3 (enough)" || !errors.Is(err, context.Cause(ctx)) {
			t.Errorf("got %q", got)
		}
	})
}

func TestAwaitSeesASocketAppear(t *testing.T) {
	for _, name := range []string{"here/s", "later/s"} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		if strings.HasPrefix(name, "here") {
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		p := prober(t, probe.Check{Kind: probe.Unix, Address: path})
		// The pauses are so long that only the news of the file can end them in time.
		pace := probe.Pace{First: time.Hour, Longest: time.Hour}
		if strings.HasPrefix(name, "later") {
			pace = probe.Pace{}
		}
		ready := make(chan error, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		go func() { ready <- probe.Await(ctx, p, pace) }()
		time.Sleep(20 * time.Millisecond) // so that it waits; it works without as well
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		// Other files are no news.
		for i := range 100 {
			if err := os.WriteFile(filepath.Join(filepath.Dir(path), fmt.Sprint("other", i)), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		hidden := path + ".new"
		l, err := net.Listen("unix", hidden)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(hidden, path); err != nil {
			t.Fatal(err)
		}
		if err := <-ready; err != nil {
			t.Errorf("%s: %v", name, err)
		}
		l.Close()
	}
}

func TestAwaitAServerThatComesLater(t *testing.T) {
	address := loopback.Free(t)
	ready := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	go func() {
		ready <- probe.Await(ctx, prober(t, probe.Check{Kind: probe.TCP, Address: address}), probe.Pace{})
	}()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := <-ready; err != nil {
		t.Error(err)
	}
}

func TestNewline(t *testing.T) {
	for text, want := range map[string]string{
		"\n":                             "",
		"ready\n":                        "",
		strings.Repeat("x", 5000) + "\n": "",
		"":                               "the descriptor was closed without a newline",
		"almost":                         "the descriptor was closed without a newline",
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for _, b := range []byte(text) {
				w.Write([]byte{b})
			}
			w.Close()
		}()
		if got := errorText(probe.Newline(t.Context(), r)); got != want {
			t.Errorf("%.20q: got %q", text, got)
		}
		r.Close()
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Millisecond, errors.New("too late"))
	defer cancel()
	if got := errorText(probe.Newline(ctx, r)); got != "no newline came: too late" {
		t.Errorf("got %q", got)
	}
	// It can be asked again.
	w.WriteString("\n")
	if err := probe.Newline(t.Context(), r); err != nil {
		t.Error(err)
	}
}
