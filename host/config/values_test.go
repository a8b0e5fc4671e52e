package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dserver/dserver/host/config"
)

// base is what the snippets of testdata/values are laid over.
const base = `
[worker.calc]
[program.x]
command = ["tool"]
[program.db]
command = ["tool"]
restart = "always"
group = "g"
[group.g]
[app.a]
command = ["tool"]
`

// workshop is a folder with the files that the snippets speak of.
func workshop(t *testing.T) string {
	t.Helper()
	dir := tree(t, "bin/tool", "#!/bin/sh\n", "bin/other", "\x7fELF", "bin/orphan", "#!/no/such/interpreter -x\n", "plain", "text",
		"vars.env", "# a comment\nA=1\nexport B='two words'\n", "bad.env", "A=1\nB\n", "secret", "hush\n", "a.toml", "", "sub/file", "")
	for _, name := range []string{"tool", "other", "orphan"} {
		if err := os.Chmod(filepath.Join(dir, "bin", name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// inWorkshop loads a snippet as an ordinary user.
func inWorkshop(t *testing.T, dir, snippet string) (*config.Config, error) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "dserver.toml"), []byte(snippet), 0o600); err != nil {
		t.Fatal(err)
	}
	return load(t, config.AsUser(config.Options{Dir: dir, Builtin: base, Environ: []string{"PATH=" + dir + "/bin:relative:/none"},
		Sandboxes: []config.Known{{Name: "math", Worker: "calc"}, {Name: "web"}}}))
}

// eachSnippet runs what stands in a file: snippets, each with a line of ---- and what
// comes out of it below. It gives the keys that they set.
func eachSnippet(t *testing.T, path string, run func(snippet string) string) (keys []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	key := regexp.MustCompile(`(?m)^([a-z]+)\.([a-z]+)\.([a-z_]+)|^(log\.[a-z_]+)|^([a-z_]+) *=`)
	var out strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		snippet, _, _ := strings.Cut(block+"\n", "----\n")
		for _, m := range key.FindAllStringSubmatch(snippet, -1) {
			keys = append(keys, m[4]+m[5])
			if m[1] != "" {
				keys = append(keys, m[1]+".NAME."+m[3], m[1])
			}
			if m[4] != "" {
				keys = append(keys, "log")
			}
		}
		out.WriteString(snippet + "----\n" + strings.TrimSpace(run(snippet)) + "\n\n")
	}
	golden(t, path, strings.TrimSuffix(out.String(), "\n"))
	return keys
}

// TestEveryKeyRefusesWhatIsWrong: each key has at least one value that is refused,
// with file, line, key, value and reason.
func TestEveryKeyRefusesWhatIsWrong(t *testing.T) {
	dir := workshop(t)
	line := regexp.MustCompile(`^DIR/dserver.toml:\d+: [^ ]+( = .+)?: .+`)
	keys := eachSnippet(t, "testdata/values/bad.txt", func(snippet string) string {
		_, err := inWorkshop(t, dir, snippet)
		var errs config.Errors
		if !errors.As(err, &errs) {
			t.Errorf("got %v of\n%s", err, snippet)
			return "taken"
		}
		text := strings.ReplaceAll(err.Error(), dir, "DIR")
		for _, one := range strings.Split(text, "\n") {
			if !line.MatchString(one) {
				t.Errorf("the complaint %q does not say where, what and why", one)
			}
		}
		return text
	})
	for _, key := range config.Keys() {
		if key != "include" && !slices.Contains(keys, key) { // see TestBadIncludes
			t.Errorf("%s: no value of it is refused", key)
		}
	}
}

// TestEveryKeyMakesADifference: each key can be set to something that is not its
// default, and then the configuration differs, which Diff tells.
func TestEveryKeyMakesADifference(t *testing.T) {
	dir := workshop(t)
	before, err := inWorkshop(t, dir, "")
	if err != nil {
		t.Fatal(err)
	}
	keys := eachSnippet(t, "testdata/values/good.txt", func(snippet string) string {
		after, err := inWorkshop(t, dir, snippet)
		if err != nil {
			t.Errorf("%v of\n%s", err, snippet)
			return "refused"
		}
		if before.Hash() == after.Hash() {
			t.Errorf("the hash does not change with\n%s", snippet)
		}
		lines := config.Diff(before, after)
		if len(lines) == 0 {
			t.Errorf("the difference is not told of\n%s", snippet)
		}
		if back := config.Diff(after, before); len(back) != len(lines) {
			t.Errorf("%d differences one way, %d the other, of\n%s", len(lines), len(back), snippet)
		}
		lines = append(lines, after.Warnings...)
		return strings.ReplaceAll(strings.Join(lines, "\n"), dir, "DIR")
	})
	for _, key := range config.Keys() {
		goframe := slices.Contains([]string{"server", "logger", "database", "redis", "viewer"}, key)
		if key != "include" && key != "mode" && !goframe && !slices.Contains(keys, key) {
			t.Errorf("%s: it is never set", key)
		}
	}
}
