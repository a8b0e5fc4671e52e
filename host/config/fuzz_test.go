package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dserver/dserver/host/config"
)

// FuzzLoad feeds all parsers. Whatever is in a file, Load gives a configuration
// that can be hashed and compared, or complaints of one line each.
func FuzzLoad(f *testing.F) {
	for format, ext := range formats() {
		for _, folder := range []string{"good", "bad"} {
			paths, err := filepath.Glob(filepath.Join("testdata", folder, "*"+ext))
			if err != nil {
				f.Fatal(err)
			}
			for _, path := range paths {
				data, err := os.ReadFile(path)
				if err != nil {
					f.Fatal(err)
				}
				f.Add(format, data)
			}
		}
	}
	for _, path := range []string{"testdata/values/good.txt", "testdata/values/bad.txt"} {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for block := range strings.SplitSeq(string(text), "\n\n") {
			snippet, _, _ := strings.Cut(block, "----\n")
			f.Add(0, []byte("program.x.command = \"/bin/sh\"\n"+snippet))
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, format int, data []byte) {
		path := filepath.Join(dir, "dserver"+formats()[uint(format)%uint(len(formats()))])
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := load(t, config.Options{File: path})
		if err != nil {
			var errs config.Errors
			if !errors.As(err, &errs) || c != nil {
				t.Fatalf("got %+v, %v", c, err)
			}
			for _, one := range errs {
				if one.Source == "" || one.Reason == "" || strings.Contains(one.Error(), "\n") {
					t.Fatalf("a complaint is not one clear line: %q", one)
				}
			}
			return
		}
		again, err := load(t, config.Options{File: path})
		if err != nil || len(c.Hash()) != 64 || again.Hash() != c.Hash() || len(config.Diff(c, again)) != 0 {
			t.Fatalf("a second look differs: %v, %v", err, config.Diff(c, again))
		}
		if len(c.Content()) == 0 {
			t.Fatal("no content")
		}
	})
}

func formats() []string { return []string{".toml", ".yaml", ".json", ".ini"} }

// FuzzEnviron feeds the names and values of variables.
func FuzzEnviron(f *testing.F) {
	f.Add("SANDBOX__MATH__LISTEN", "tcp://127.0.0.1:1")
	f.Add("SANDBOX__MATH__CONFIG__A", `{"b":[1]}`)
	f.Add("LOG__KEEP__X", "5")
	f.Add("NAME", "x")
	f.Add("____", "")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, name, value string) {
		c, err := load(t, config.Options{Dir: dir, Sandboxes: app(), Environ: []string{"DSERVER_" + name + "=" + value}})
		var errs config.Errors
		if err != nil && !errors.As(err, &errs) || err == nil && len(c.Hash()) != 64 {
			t.Fatalf("got %+v, %v", c, err)
		}
	})
}

// FuzzCommand: what splits into words can be written again so that it splits into
// the same words.
func FuzzCommand(f *testing.F) {
	for _, text := range []string{"a b", `a 'b c' "d\"e" f\ g ''`, `"\$\x"`, "a\tb\r", `'`, `\`, "$x", "a|b", `"`, `a"b"'c'`, "\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		words, err := config.SplitWords(text)
		if err != nil {
			return
		}
		again, err := config.SplitWords(config.ShowCommand(words))
		if err != nil || !slices.Equal(words, again) {
			t.Fatalf("%q is %q, written as %q it is %q, %v", text, words, config.ShowCommand(words), again, err)
		}
	})
}

// FuzzEnvFile: every line of a file of variables is one variable that a process can
// have, or a complaint that names the line.
func FuzzEnvFile(f *testing.F) {
	for _, text := range []string{"A=1\n# x\n\nexport B='2 3'\r\nC=\"a\\n\\\"b\"", "A", "=", "A='", `A="\`, `A="x\q"`, "A=\x00", "\ufeffA=1", "A B=1"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		pairs, err := config.ParseEnvFile(data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "line ") || pairs != nil {
				t.Fatalf("got %q, %v", pairs, err)
			}
			return
		}
		if len(pairs) > strings.Count(string(data), "\n")+1 {
			t.Fatalf("%d variables in %q", len(pairs), data)
		}
		for _, pair := range pairs {
			if name, _, ok := strings.Cut(pair, "="); !ok || name == "" || strings.Contains(pair, "\x00") {
				t.Fatalf("%q gives the variable %q", data, pair)
			}
		}
	})
}

// FuzzStep: a step of a stop that is taken is taken again as it is shown, and is a
// signal or a command.
func FuzzStep(f *testing.F) {
	for _, text := range []string{"TERM 10s", "SIGINT", "RTMIN+3 1ms", "exec:a 'b c' 5s", "exec:", "STOP", "KILL 0s", "TERM 10", "  HUP  1s ", "exec:5s", "exec:'a\v'"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		step, err := config.ParseStep(text)
		if err != nil {
			return
		}
		if (step.Signal == "") == (len(step.Command) == 0) {
			t.Fatalf("%q is %+v", text, step)
		}
		if step.Wait < 0 {
			step.Wait = 0 // none was said
		}
		again, err := config.ParseStep(step.String())
		if err != nil || again.String() != step.String() {
			t.Fatalf("%q is %q, and that is %q, %v", text, step, again, err)
		}
	})
}

// FuzzProbe feeds the forms of ready and live.
func FuzzProbe(f *testing.F) {
	for _, text := range []string{"started", "notify", "newline:9", "tcp://localhost:1", "unix://a", "http://127.0.0.1/", "exec:/bin/sh", "log:x", "tcp://[::1%lo]:1", "http://[::1", "\n\x9ael:", "t\n:1", "unix:////.", "tcp://a\n\nb:1"} {
		f.Add(text)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		builtin := "[program.x]\ncommand = '/bin/sh'\n"
		environ := func(probe string) []string {
			return []string{"DSERVER_PROGRAM__X__READY=" + probe}
		}
		c, err := load(t, config.Options{Dir: dir, Builtin: builtin, Environ: environ(text)})
		if err != nil {
			var errs config.Errors
			if !errors.As(err, &errs) || len(errs) != 1 || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		shown := c.Programs[0].Ready.String()
		again, err := load(t, config.Options{Dir: dir, Builtin: builtin, Environ: environ(shown)})
		if err != nil || again.Programs[0].Ready.String() != shown {
			t.Fatalf("%q is %q, and that is %v, %v", text, shown, again, err)
		}
	})
}
