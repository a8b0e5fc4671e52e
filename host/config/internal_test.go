package config

import (
	"log/slog"
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	keys := []string{"name", "mode", "listen", "log", "worker", "max_size", "level", "warn"}
	for word, want := range map[string]string{
		"nmae": "name", "naem": "name", "lisen": "listen", "listenn": "listen", "Listen": "listen",
		"maxsize": "max_size", "max-size": "max_size", "workers": "worker", "lg": "log", "lo": "log",
		"warning": "warn", "x": "", "": "", "zzzz": "", "abc": "", "port": "",
		strings.Repeat("x", 10000): "",
	} {
		if got := nearest(word, keys); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

func TestTypos(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"abc", "abc", 0}, {"abc", "acb", 1},
		{"abc", "abd", 1}, {"abcd", "bcd", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3},
	} {
		if got := typos(test.a, test.b); got != test.want {
			t.Errorf("%q, %q: got %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"0B": 0, "1B": 1, "512KiB": 512 << 10, "64MiB": 64 << 20, "1 GiB": 1 << 30, "2TiB": 2 << 40,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%q: got %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "B", "64", "64M", "64MB", "64mib", "-1B", "1.5GiB", "9000000000TiB", "1KiBKiB", "0x10B", "1 0B"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q was taken as %d", text, got)
		}
	}
	for size, want := range map[int64]string{0: "0B", 1: "1B", 1024: "1KiB", 1025: "1025B", 64 << 20: "64MiB", 5 << 50: "5120TiB"} {
		if got := formatSize(size); got != want {
			t.Errorf("%d: got %s, want %s", size, got, want)
		}
	}
}

func TestLevels(t *testing.T) {
	for text, want := range map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	} {
		got, err := ParseLevel(text)
		if err != nil || got != want || LevelName(got) != text {
			t.Errorf("%s: got %v, %v, %s", text, got, err, LevelName(got))
		}
	}
	if _, err := ParseLevel("INFO"); err == nil {
		t.Error("INFO was taken")
	}
	for level, want := range map[slog.Level]string{-100: "debug", 1: "info", 100: "error"} {
		if got := LevelName(level); got != want {
			t.Errorf("%d: got %s, want %s", level, got, want)
		}
	}
}

// TestDefaultsAreValid: a default that its own key would refuse would be no
// default, for nobody looks at the complaint.
func TestDefaultsAreValid(t *testing.T) {
	checkDefaults(t, rootFields(), new(Config))
	checkDefaults(t, logFields(), new(Log))
	checkDefaults(t, sandboxFields(), new(Sandbox))
	checkDefaults(t, workerFields(), new(Worker))
}

func checkDefaults[T any](t *testing.T, fields []field[T], to *T) {
	t.Helper()
	for _, f := range fields {
		b := &builder{}
		if f.def != "" {
			f.set(b, &node{name: f.key, value: f.def, text: true}, to)
		}
		if len(b.found) > 0 {
			t.Errorf("%s: the default %s is refused: %s", f.key, f.def, b.found[0].err.Reason)
		}
		if f.doc == "" || f.kind == "" || f.def == "" && f.note == "" && f.kind[:5] != "table" {
			t.Errorf("%s: kind, default or description is missing", f.key)
		}
	}
}

// TestDocumentNamesEveryKey compares the reference with what was recorded.
func TestDocumentNamesEveryKey(t *testing.T) {
	text := Document()
	for _, key := range []string{"name", "mode", "log.level", "sandbox.NAME.listen", "worker.NAME.instances", "redis"} {
		if !strings.Contains(text, "| `"+key+"` |") {
			t.Errorf("%s is missing", key)
		}
	}
	if !strings.Contains(text, "`DSERVER_SANDBOX__NAME__LISTEN`") {
		t.Error("the variable of sandbox.NAME.listen is missing")
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "|") && strings.Count(line, "|") != 6 {
			t.Errorf("a row of a table is torn: %s", line)
		}
	}
}

// TestLinesOfKeys asks for the lines of keys that are written in every way.
func TestLinesOfKeys(t *testing.T) {
	const text = `a = 1
[b.c]
d = """
e = 1
"""
f = [
  1,
]
g.h.i = { j = 1, "k l" = 2 }

["q.r"]
z = 1
[[s]]
t = 1
[[s]]
u = 2
`
	root, err := parseTOML([]byte(text), place{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		want int
		path []string
	}{
		{1, []string{"a"}}, {2, []string{"b", "c"}}, {2, []string{"b"}}, {3, []string{"b", "c", "d"}},
		{6, []string{"b", "c", "f"}}, {9, []string{"b", "c", "g"}}, {9, []string{"b", "c", "g", "h", "i", "j"}},
		{9, []string{"b", "c", "g", "h", "i", "k l"}}, {11, []string{"q.r"}}, {12, []string{"q.r", "z"}},
	} {
		n := root
		for _, name := range test.path {
			n = n.kids[name]
		}
		if got := n.lineNumber(); got != test.want {
			t.Errorf("%q: got line %d, want %d", test.path, got, test.want)
		}
	}
	if got := root.kids["s"].lineNumber(); got != 13 && got != 15 {
		t.Errorf("a list of tables: got line %d", got)
	}
	if want := []string{"a", "b", "q.r", "s"}; strings.Join(root.keys, " ") != strings.Join(want, " ") {
		t.Errorf("order %q", root.keys)
	}
}
