package hosttest_test

import (
	_ "embed"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/host/hosttest"
)

//go:embed testdata/writer.py
var writerScript string

// written is what a run of testdata/writer.py wrote, as far as it was found.
type written struct {
	next  int // number of the line that comes next
	ended bool
	wrong string // the first thing that is not as it was written
}

// runsIn puts together what runs wrote.
func runsIn(text string) map[string]*written {
	runs := make(map[string]*written)
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 3 || f[1] != "line" && f[1] != "end" {
			runs["?"] = &written{wrong: fmt.Sprintf("there is a line %q", line)}
			continue
		}
		r := runs[f[0]]
		if r == nil {
			r = &written{}
			runs[f[0]] = r
		}
		n, err := strconv.Atoi(f[2])
		whole := f[1] == "end" || strings.Count(line, "x") == n%97
		if r.wrong == "" && (err != nil || n != r.next || !whole || r.ended) {
			r.wrong = fmt.Sprintf("%q comes in the place of line %d", line, r.next)
		}
		r.next++
		r.ended = f[1] == "end"
	}
	return runs
}

// checkRuns fails the test unless there are at least so many runs, of which each
// is whole and has ended.
func checkRuns(t *testing.T, where, text string, least int) {
	t.Helper()
	runs, lines := runsIn(text), 0
	for run, r := range runs {
		lines += r.next
		if r.wrong != "" || !r.ended {
			t.Errorf("%s, run %s: %s (ended: %v)", where, run, r.wrong, r.ended)
		}
	}
	if len(runs) < least {
		t.Errorf("%s: there are %d runs, want at least %d", where, len(runs), least)
	}
	t.Logf("%s: %d lines of %d runs", where, lines, len(runs))
}

// No line is lost while logs are rotated and programs are restarted, reloaded and
// stopped, and the master becomes another build; the last one, which has no
// newline, included.
func TestNoLineIsLost(t *testing.T) {
	python := tool(t, "python3")
	hosttest.EachSupervisor(t, func(t *testing.T, in *hosttest.Instance) {
		in.Write("writer.py", writerScript, 0o644)
		program := func(name, end, more string) string {
			return fmt.Sprintf("\n[program.%s]\ncommand = [%q, \"writer.py\", %q]\n%s\n", name, python, end, more)
		}
		own := "\nlog_max_size = \"64KiB\"\nlog_keep = 1000\n"
		in.Configure(hosttest.Settings{Extra: "\n[log]\nmax_size = \"128KiB\"\nkeep = 1000\n" +
			program("shared", "torn", "") + program("text", "torn", `log_file = "text.log"`+own) +
			program("raw", "whole", "log_format = \"raw\"\nlog_file = \"raw.log\""+own) +
			program("json", "torn", "log_format = \"json\"\nlog_file = \"json.log\""+own) +
			program("twice", "torn", "instances = 2\nreload = \"replace\"")})
		in.Start()
		all := []string{"shared", "text", "raw", "json", "twice"}
		for _, step := range [][]string{
			append([]string{"restart"}, all...), {"reload"}, append([]string{"reload"}, all...), {"upgrade"},
			append([]string{"stop"}, all...), append([]string{"start"}, all...), {"reload"},
		} {
			mustRun(t, in, step[0], step[1:]...)
			pause(t, 200*time.Millisecond)
		}
		mustRun(t, in, "stop", all...)
		for _, name := range []string{"shared", "text", "json"} {
			checkRuns(t, name, in.Output(name), 4)
		}
		in.Stop()
		checkRuns(t, "raw.log", rawLog(t, in, "raw.log"), 4)
		if n := len(rotated(t, in, "raw.log")); n < 2 {
			t.Errorf("raw.log was rotated %d times", n)
		}
		in.AssertGone()
	})
}

// pause gives processes time to write.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// A log that somebody has moved away is left by the master that comes next, also
// where the one before had written nothing more and so not noticed.
func TestNextMasterLeavesTheLogThatWasMoved(t *testing.T) {
	hosttest.EachSupervisor(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(hosttest.Settings{Extra: "\n[log]\nlevel = \"error\"\n[program.talk]\ncommand = \"sh -c 'echo hello; exec sleep 1000'\"\n"})
		in.Start()
		hellos := func(path string) int { return strings.Count(rawFile(t, path), " talk out hello\n") }
		in.Until("the program to be logged", func() bool { return hellos(in.Log) == 1 })
		moved := in.Log + ".moved"
		if err := os.Rename(in.Log, moved); err != nil {
			t.Fatal(err)
		}
		mustRun(t, in, "upgrade")
		mustRun(t, in, "restart", "talk")
		in.Stop()
		if was, is := hellos(moved), hellos(in.Log); was != 1 || is != 1 {
			t.Errorf("the former log has %d lines of the program, the new one %d; want 1 each", was, is)
		}
	})
}
