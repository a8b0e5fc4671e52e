package program

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/internal/group"
)

// TestTranscripts plays each script of testdata and compares what happens, in
// virtual time, with what stands there. With -rewrite it is written there.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				got := play(t, want)
				if *rewrite {
					if err := os.WriteFile(file, got, 0o644); err != nil {
						t.Fatal(err)
					}
				} else if !bytes.Equal(got, want) {
					t.Errorf("it went differently (run with -rewrite, then look at the difference):\n%s", got)
				}
			})
		})
	}
}

var rewrite = flag.Bool("rewrite", false, "write what happens into the transcripts")

// stage is a Set with fake processes, and what happened there.
type stage struct {
	t       testing.TB
	set     *Set
	spawner *fakeSpawner
	group   *group.Group
	began   time.Time
	config  []config.Program
	groups  []config.Group
	limits  Limits

	mu    sync.Mutex
	lines []line
}

type line struct {
	at   time.Duration
	who  string
	text string
}

func newStage(t testing.TB) *stage {
	s := &stage{
		t: t, spawner: newFakeSpawner(), group: group.New(context.Background(), nil), began: time.Now(),
		limits: Limits{Ready: 60 * time.Second, Probation: time.Second, Stop: 10 * time.Second},
	}
	s.set = s.newSet()
	t.Cleanup(s.close)
	return s
}

func (s *stage) newSet() *Set {
	o, err := Options{
		Group: s.group, Publish: s.note, Spawner: noSpawner(), Limits: func() Limits { return s.limits },
		Essential: s.essential,
	}.orDefault()
	if err != nil {
		s.t.Fatal(err)
	}
	set := newSet(o, s.spawner.start)
	set.spread, set.adopt = -1, s.spawner.adopt
	return set
}

// succeed lets another Set go on: exact after this one was frozen, else as if it had
// been killed.
func (s *stage) succeed(exact bool) error {
	var records Records
	if exact {
		if err := s.set.Freeze(s.t.Context()); err != nil {
			return err
		}
		records, _ = s.set.Bequest()
	} else {
		records = s.set.Records()
	}
	text, err := json.Marshal(records)
	if err != nil {
		return err
	}
	// What the former one has under way ends without effect, as in a process that is
	// no more.
	if !exact {
		s.set.births.hold()
		s.set.Freeze(s.t.Context())
	}
	if err := s.group.Stop(context.Background()); err != nil {
		return err
	}
	s.group = group.New(context.Background(), nil)
	s.set = s.newSet()
	var read Records
	if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	if err := s.set.Restore(read, nil); err != nil {
		return err
	}
	s.take()
	s.set.Thaw()
	return nil
}

func (s *stage) close() {
	s.set.StopAll(s.t.Context())
	if left := s.spawner.living(); len(left) > 0 {
		s.t.Errorf("%s lives on after all was stopped", left[0].spec.Name)
	}
	if err := s.group.Stop(context.Background()); err != nil {
		s.t.Error(err)
	}
}

func (s *stage) add(who, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, line{time.Since(s.began), who, fmt.Sprintf(format, args...)})
}

func (s *stage) essential(name string, exit superviseExit) {
	s.add(name, "%s is essential: %v", name, exit)
}

func (s *stage) note(e Event) {
	switch e := e.(type) {
	case Moved:
		text := fmt.Sprintf("%s %s -> %s", e.Place, e.From, e.To)
		if e.By != "" {
			text += " by " + e.By
		}
		if e.Reason != "" {
			text += ": " + e.Reason
		}
		if !e.Next.IsZero() {
			text += fmt.Sprintf(" (again in %v)", time.Until(e.Next))
		}
		s.add(who(e.Place), "%s", text)
	case Ended:
		by := ""
		if e.Run.By != "" {
			by = " by " + e.Run.By
		}
		s.add(who(e.Place), "%s ended%s: %s", e.Place, by, e.Run.Cause)
	case Replaced:
		s.add(who(e.Place), "%s replaces %s by %s", e.Place, e.Old, e.By)
	case Said:
		s.add(who(e.Place), "%s says %s", e.Place, e.Text)
	case Warned:
		s.add(who(e.Place), "%s warning: %s", e.Place, e.Text)
	}
}

func who(p Place) string { return fmt.Sprintf("%s/%d", p.Program, p.Instance) }

// take gives what has happened since the last call. What happens to several
// programs at one time has no order.
func (s *stage) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortStableFunc(s.lines, func(a, b line) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		return strings.Compare(a.who, b.who)
	})
	var b strings.Builder
	for _, l := range s.lines {
		fmt.Fprintf(&b, "%8.3f %s\n", l.at.Seconds(), l.text)
	}
	s.lines = nil
	return b.String()
}

// play does what the lines of a script say, and gives the script with what came of
// each block.
func play(t *testing.T, script []byte) []byte {
	s := newStage(t)
	var out bytes.Buffer
	inTrace := false
	scanner := bufio.NewScanner(bytes.NewReader(script))
	for scanner.Scan() {
		text := scanner.Text()
		switch {
		case text == "----":
			inTrace = true
			synctest.Wait()
			fmt.Fprintf(&out, "----\n%s", s.take())
		case inTrace && text != "":
		case text == "":
			if inTrace || out.Len() > 0 {
				out.WriteString("\n")
			}
			inTrace = false
		default:
			out.WriteString(text + "\n")
			if !strings.HasPrefix(text, "#") {
				if err := s.do(strings.Fields(text)); err != nil {
					t.Fatalf("%s: %v", text, err)
				}
			}
		}
	}
	return out.Bytes()
}

// do runs one command of a script.
func (s *stage) do(words []string) error {
	verb, args := words[0], words[1:]
	switch verb {
	case "program":
		return s.define(args)
	case "group":
		s.groups = append(s.groups, config.Group{Name: args[0], Strategy: config.Strategy(args[1])})
	case "forget":
		s.config = slices.DeleteFunc(s.config, func(p config.Program) bool { return p.Name == args[0] })
	case "behave":
		return s.behave(args)
	case "limit":
		d, err := time.ParseDuration(args[1])
		switch args[0] {
		case "ready":
			s.limits.Ready = d
		case "probation":
			s.limits.Probation = d
		case "stop":
			s.limits.Stop = d
		}
		return err
	case "wait":
		d, err := time.ParseDuration(args[0])
		time.Sleep(d)
		synctest.Wait()
		return err
	case "upgrade":
		return s.succeed(true)
	case "killed":
		return s.succeed(false)
	case "ready", "exit", "kill", "unwell", "notice", "stall":
		return s.happen(verb, args)
	case "status":
		synctest.Wait()
		s.status()
	default:
		return s.command(verb, args)
	}
	return nil
}

// command gives a command to the Set and tells how it went when it is done.
func (s *stage) command(verb string, args []string) error {
	ctx := s.t.Context()
	var run func() []Result
	switch verb {
	case "apply":
		programs, groups := slices.Clone(s.config), slices.Clone(s.groups)
		run = func() []Result { return s.set.Apply(ctx, programs, groups, nil, nil) }
	case "start":
		run = func() []Result { return s.set.Start(ctx, args) }
	case "stop":
		run = func() []Result { return s.set.Stop(ctx, args) }
	case "stopall":
		d, err := time.ParseDuration(args[0])
		if err != nil {
			return err
		}
		run = func() []Result {
			ctx, cancel := context.WithTimeout(ctx, d)
			defer cancel()
			return s.set.StopAll(ctx)
		}
	case "restart":
		run = func() []Result { return s.set.Restart(ctx, args) }
	case "reload":
		run = func() []Result { return s.set.Reload(ctx, args) }
	case "reset":
		run = func() []Result { return s.set.Reset(ctx, args) }
	case "scale":
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		run = func() []Result { return []Result{s.set.Scale(ctx, args[0], n)} }
	default:
		return fmt.Errorf("no such command")
	}
	s.group.Go(verb, func(context.Context) {
		for _, r := range run() {
			text := fmt.Sprintf("> %s %s: %s", verb, r.Program, r.State)
			if r.Err != nil {
				text += ": " + r.Err.Error()
			}
			if r.Remark != "" {
				text += " (" + r.Remark + ")"
			}
			s.add("~"+r.Program+" "+verb, "%s", text) // several may end at one time
		}
	})
	synctest.Wait()
	return nil
}

// happen makes something happen to the process of a place such as web/1.
func (s *stage) happen(verb string, args []string) error {
	synctest.Wait()
	c := s.spawner.named(args[0])
	if c == nil {
		return fmt.Errorf("there is no process")
	}
	switch verb {
	case "exit":
		code, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		c.end(code, 0)
	case "kill":
		c.end(-1, 9)
	case "ready":
		u, r := s.runOf(args[0], c)
		u.tell(isReady{run: r})
	case "stall":
		d, err := time.ParseDuration(args[1])
		u, _ := s.runOf(args[0], c)
		u.tell(stall(d))
		return err
	case "unwell":
		u, r := s.runOf(args[0], c)
		u.tell(isUnwell{run: r, why: strings.Join(args[1:], " "), action: u.settingsFor(r).Live.Action})
	case "notice":
		u, r := s.runOf(args[0], c)
		n, err := noticeOf(args[1:])
		if err != nil {
			return err
		}
		if n.MainPid != 0 {
			c.Follow(n.MainPid)
		}
		u.tell(notice{run: r, Notice: n})
	}
	synctest.Wait()
	return nil
}

// stall keeps the goroutine of an instance, as a busy machine does, in virtual time.
type stall time.Duration

func (d stall) apply(*unit) { time.Sleep(time.Duration(d)) }

// runOf finds the run of a process. The instances' goroutines all wait, so that
// looking at what is theirs is no race.
func (s *stage) runOf(place string, c *fakeChild) (*unit, *run) {
	name, instance, _ := strings.Cut(keyOf(place), "/")
	n, _ := strconv.Atoi(instance)
	s.set.mu.Lock()
	defer s.set.mu.Unlock()
	u := s.set.find(name).unit(n)
	if u.next != nil && u.next.child == child(c) {
		return u, u.next
	}
	return u, u.run
}

func (s *stage) status() {
	for _, p := range s.set.Programs(true) {
		s.add("", "  %s %s wanted=%v", p.Name, p.State, p.Wanted)
		for _, i := range p.Instances {
			text := fmt.Sprintf("    %d.%d %s restarts=%d", i.Instance, i.Generation, i.State, i.Restarts)
			if i.Reason != "" {
				text += " reason=" + strconv.Quote(i.Reason)
			}
			if i.Output != nil {
				text += fmt.Sprintf(" output=%q", i.Output)
			}
			s.add("", "%s", text)
			for _, r := range i.History {
				s.add("", "      %d: %s, code %d", r.Generation, r.Cause, r.Code)
			}
		}
	}
}
