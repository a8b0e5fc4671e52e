package host

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/cli"
	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/logfile"
	"github.com/dserver/dserver/host/rundir"
	"github.com/dserver/dserver/host/supervise"
)

// openLogs opens the log of an instance in the foreground.
func openLogs(t *testing.T, c config.Log) (l *logs, stdout *bytes.Buffer) {
	t.Helper()
	root, err := rundir.Find(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir, err := root.Dir("shop")
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.Make(); err != nil {
		t.Fatal(err)
	}
	stdout = new(bytes.Buffer)
	l = newLogs(cli.StartOptions{Out: stdout, Err: new(bytes.Buffer)}, loaded{document{Config: &config.Config{Log: c}}, dir})
	if err := l.open(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return l, stdout
}

// speak is a process of a program that writes a line and ends.
func speak(l *logs, p config.Program, text string) {
	out, err := l.program(&p, 1, 1)
	for _, s := range []supervise.Sink{out, err} {
		if s == nil {
			continue
		}
		if s == out {
			s.Write([]byte(text + "\n"))
		}
		s.Finish()
	}
}

// texts are the lines that are found of some names, the log they are in in front.
func texts(t *testing.T, l *logs, c *config.Config, names ...string) (found []string) {
	t.Helper()
	readers, err := l.readers(c, names)
	if err != nil {
		t.Fatal(err)
	}
	err = logfile.Search(t.Context(), readers, logfile.Query{Names: names, Lines: -1}, func(line logfile.Line) error {
		found = append(found, filepath.Base(line.Log)+" "+line.Name+" "+line.Text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return found
}

func TestOutputOfProgramsIsFoundWhereItWent(t *testing.T) {
	l, stdout := openLogs(t, config.Log{})
	own := filepath.Join(t.TempDir(), "web.log")
	c := &config.Config{Programs: []config.Program{
		{Name: "main", Output: config.Output{To: config.OutputFile}},
		{Name: "web", Output: config.Output{To: config.OutputFile, File: own, Format: "raw"}},
		{Name: "both", Output: config.Output{To: config.OutputBoth}},
		{Name: "shown", Output: config.Output{To: config.OutputStdout}},
		{Name: "quiet", Output: config.Output{To: config.OutputNone}},
		{Name: "astray", Output: config.Output{To: config.OutputFile, File: "/dev/null"}},
	}}
	for _, p := range c.Programs {
		speak(l, p, p.Name+" speaks")
	}
	for _, tt := range []struct {
		names []string
		want  []string
	}{
		{[]string{"main"}, []string{". main main speaks"}},
		{[]string{"web"}, []string{"web.log web web speaks"}},
		{[]string{"main", "web", "both"}, []string{". both both speaks", ". main main speaks", "web.log web web speaks"}},
	} {
		if got := texts(t, l, c, tt.names...); !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %q", tt.names, got)
		}
	}
	all := strings.Join(texts(t, l, &config.Config{Programs: c.Programs[:5]}), "\n")
	for _, want := range []string{". main main speaks", "web.log web web speaks", ". both both speaks", ". astray astray speaks",
		"the output of a program goes to the log of the instance program=astray"} {
		if !strings.Contains(all, want) {
			t.Errorf("there is no %q in\n%s", want, all)
		}
	}
	if strings.Contains(all, "shown speaks") || strings.Contains(all, "quiet speaks") {
		t.Errorf("what is not to be kept was kept:\n%s", all)
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(own); err != nil || string(text) != "web speaks\n" {
		t.Errorf("the log of its own has %q, %v", text, err)
	}
	if got := stdout.String(); got != "both speaks\nshown speaks\n" {
		t.Errorf("standard output has %q", got)
	}
}

func TestInTheBackgroundStandardOutputIsTheLog(t *testing.T) {
	l, stdout := openLogs(t, config.Log{})
	l.background = true
	c := &config.Config{Programs: []config.Program{{Name: "shown", Output: config.Output{To: config.OutputStdout}}}}
	speak(l, c.Programs[0], "hello")
	if got := texts(t, l, c, "shown"); !slices.Equal(got, []string{". shown hello"}) {
		t.Errorf("got %q", got)
	}
	if err := l.loggers(c, []string{"shown"}); err != nil {
		t.Error(err)
	}
	if err := l.close(); err != nil || stdout.Len() > 0 {
		t.Errorf("standard output has %q, %v", stdout, err)
	}
}

func TestLogsOfNobodyAreNotFound(t *testing.T) {
	l, _ := openLogs(t, config.Log{})
	c := &config.Config{
		Sandboxes: []config.Sandbox{{Name: "math"}}, Workers: []config.Worker{{Name: "calc"}},
		Programs: []config.Program{
			{Name: "web", Output: config.Output{To: config.OutputFile}}, {Name: "quiet", Output: config.Output{To: config.OutputNone}},
			{Name: "shown", Output: config.Output{To: config.OutputStdout}},
		},
	}
	for name, want := range map[string]string{
		"nobody": `there is no "nobody" that logs; there are: master, calc, math, quiet, shown, web`,
		"quiet":  `the output of quiet is not kept: its log is "none"`,
		"shown":  `the output of shown is not kept: its log is "stdout"`,
	} {
		if err := l.loggers(c, []string{"web", name}); !errors.Is(err, ctl.ErrNotFound) || err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := l.loggers(c, []string{"master", "calc", "math", "web"}); err != nil {
		t.Error(err)
	}
}

func TestLogIsLimitedAnewAndReopened(t *testing.T) {
	l, _ := openLogs(t, config.Log{})
	l.own(true)
	path := l.options.Path
	p := config.Program{Name: "web", Output: config.Output{To: config.OutputFile}}
	fill := func() (rotated []string) {
		for range 20 {
			speak(l, p, strings.Repeat("x", 200))
			if err := l.flush(); err != nil {
				t.Fatal(err)
			}
		}
		rotated, err := filepath.Glob(path + ".*")
		if err != nil {
			t.Fatal(err)
		}
		return rotated
	}
	if got := fill(); len(got) != 0 {
		t.Errorf("there are %q", got)
	}
	l.limit(config.Log{MaxSize: 1 << 10, Keep: 1})
	if got := fill(); !slices.Equal(got, []string{path + ".1"}) {
		t.Errorf("there are %q", got)
	}
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	if err := l.reopen(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}
