package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dserver/dserver/host/config"
)

// TestKeysAreThoseOfTheConfiguration keeps the reference in step with the code.
func TestKeysAreThoseOfTheConfiguration(t *testing.T) {
	inStep(t, "docs/configuration.md", "Keys", "keys", config.Document())
}

// TestCounterpartsAreThoseOfTheConfiguration keeps the table of other supervisors'
// names in step with the code.
func TestCounterpartsAreThoseOfTheConfiguration(t *testing.T) {
	inStep(t, "docs/supervision.md", "Counterparts", "counterparts", config.Counterparts())
}

// TestCounterpartsHaveEveryKey compares the table of other supervisors' names with
// the reference: each key of a program and a worker is in it, and no other one.
func TestCounterpartsHaveEveryKey(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|")
	var want, got []string
	for _, m := range row.FindAllStringSubmatch(config.Document(), -1) {
		for _, table := range []string{"program.NAME.", "worker.NAME."} {
			if key, ok := strings.CutPrefix(m[1], table); ok && !slices.Contains(want, key) {
				want = append(want, key)
			}
		}
	}
	for _, m := range row.FindAllStringSubmatch(config.Counterparts(), -1) {
		got = append(got, m[1])
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the table has\n%q\nthe keys are\n%q", got, want)
	}
	if len(want) < 50 {
		t.Errorf("only %d keys", len(want))
	}
}

// inStep keeps what stands in a page between two marks the same as what the code
// says.
func inStep(t *testing.T, page, test, what, says string) {
	t.Helper()
	begin := "<!-- " + what + ": written by go test ./docs -run " + test + " -rewrite -->\n"
	end := "<!-- end of " + what + " -->\n"
	text := read(t, page)
	before, rest, found := strings.Cut(text, begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no place for the %s, between %q and %q", page, what, begin, end)
	}
	want := before + begin + says + end + after
	if text == want {
		return
	}
	if !*rewrite {
		t.Fatalf("%s is not in step with host/config: run go test ./docs -run %s -rewrite", page, test)
	}
	if err := os.WriteFile(filepath.Join(root, page), []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestConfigurationInPagesIsValid lets what pages show as configuration be
// checked as a file would be.
func TestConfigurationInPagesIsValid(t *testing.T) {
	path := executables(t, "redis-server", "redis-cli", "gunicorn", "migrate", "drain", "reader", "writer")
	count := 0
	for _, page := range pages(t) {
		for _, b := range blocks(t, page) {
			if b.lang != "toml" {
				continue
			}
			count++
			file := filepath.Join(t.TempDir(), "dserver.toml")
			if err := os.WriteFile(file, []byte(b.text), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := config.Load(t.Context(), config.Options{File: file, Environ: []string{"PATH=" + path}}); err != nil {
				t.Errorf("%s:%d: %v", page, b.line, err)
			}
		}
	}
	if count == 0 {
		t.Error("no page shows any configuration")
	}
}

// executables makes a folder with programs of these names, for they need not be
// installed where the pages are tested.
func executables(t *testing.T, names ...string) string {
	dir := t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
