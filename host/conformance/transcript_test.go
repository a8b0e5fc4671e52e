package conformance

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dserver/dserver/host/hosttest"
)

// A transcript is what an instance answered to a row of steps, in a form in which
// two runs can be compared: without pids, times, sizes and ports, tables and JSON
// as one fact a line.
type transcript struct {
	in      *hosttest.Instance
	entries []entry
	builds  map[string]string // by the first digits of the ID: its name here
}

// entry is what one step led to.
type entry struct {
	step  string
	lines []string
}

func newTranscript(in *hosttest.Instance) *transcript {
	return &transcript{in: in, builds: make(map[string]string)}
}

// result notes what a verb did.
func (r *transcript) result(step string, got hosttest.Result) {
	lines := []string{fmt.Sprintf("exit %d", got.Code)}
	for _, line := range r.facts(got.Stdout) {
		lines = append(lines, "out "+line)
	}
	for _, line := range r.facts(got.Stderr) {
		lines = append(lines, "err "+line)
	}
	r.entries = append(r.entries, entry{step: step, lines: lines})
}

// note notes anything else.
func (r *transcript) note(step string, lines []string) {
	clean := make([]string, len(lines))
	for i, line := range lines {
		clean[i] = r.clean(line)
	}
	r.entries = append(r.entries, entry{step: step, lines: clean})
}

// facts turns a text into lines that can be compared.
func (r *transcript) facts(text string) []string {
	if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		decoder := json.NewDecoder(strings.NewReader(text))
		var lines []string
		for decoder.More() {
			var v any
			if decoder.Decode(&v) != nil {
				return r.rows(text)
			}
			lines = append(lines, r.flat("", v)...)
		}
		return lines
	}
	return r.rows(text)
}

// flat gives a JSON value as one line for each leaf.
func (r *transcript) flat(path string, v any) []string {
	switch v := v.(type) {
	case map[string]any:
		var lines []string
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			lines = append(lines, r.flat(path+"."+key, measured(key, v[key]))...)
		}
		return lines
	case []any:
		if len(v) == 0 {
			return []string{path + " = []"}
		}
		var lines []string
		for i, e := range v {
			lines = append(lines, r.flat(path+"["+strconv.Itoa(i)+"]", e)...)
		}
		return lines
	}
	return []string{r.clean(fmt.Sprintf("%s = %v", path, v))}
}

// measured hides what is different each time.
func measured(key string, v any) any {
	switch key {
	case "pid", "rss", "cpu", "files", "threads", "heap", "goroutines", "offset", "ready_ns", "took_ns":
		return "#"
	}
	return v
}

// measuredColumn hides the same in a table.
func measuredColumn(name, text string) string {
	switch name {
	case "PID", "SINCE", "UP", "MEMORY", "CPU", "FILES", "THREADS":
		if text != "-" {
			return "#"
		}
	}
	return text
}

// head is the first line of a table.
var head = regexp.MustCompile(`^[A-Z]+( {2,}[A-Z]+)+$`)

// rows gives a text line by line, the rows of tables as COLUMN=cell.
func (r *transcript) rows(text string) []string {
	var lines, columns []string
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		switch {
		case head.MatchString(line):
			columns = columnsOf(line)
			continue
		case strings.TrimSpace(line) == "":
			columns = nil
			continue
		case columns != nil && len(columnsOf(line)) == len(columns):
			cells := columnsOf(line)
			for i, column := range columns {
				cells[i] = column + "=" + measuredColumn(column, cells[i])
			}
			lines = append(lines, r.clean(strings.Join(cells, " ")))
			continue
		}
		lines = append(lines, r.clean(line))
	}
	return lines
}

var gap = regexp.MustCompile(` {2,}`)

func columnsOf(line string) []string { return gap.Split(strings.TrimSpace(line), -1) }

// cleaners hide what is different each time, in any text.
var cleaners = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(Z|[+-]\d\d:\d\d)`), "TIME"},
	{regexp.MustCompile(`\b(pid|process|user)([ =])\d+`), "$1$2#"},
	{regexp.MustCompile(`\b\d+(\.\d+)? (B|KiB|MiB|GiB)\b`), "SIZE"},
	{regexp.MustCompile(`\b\d+ (files?|goroutines?)\b`), "# $1"},
	{regexp.MustCompile(`\b(ready after|committed after|, up|since) ([\d.]+(ns|µs|ms|s|m|h))+`), "$1 TIME"},
	{regexp.MustCompile(`\bstack="([^"\\]|\\.)*"`), "stack=STACK"},
	{regexp.MustCompile(`\bincident=\w+`), "incident=#"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`(@|/unix:)?/tmp/\S*/(app|hosttest\d+)/(app)\b`), "PROGRAM"},
}

var buildID = regexp.MustCompile(`\b[0-9a-f]{12,64}\b`)

// clean hides what is different each time in a line.
func (r *transcript) clean(line string) string {
	line = strings.ReplaceAll(line, r.in.Folder, "FOLDER")
	for _, c := range cleaners {
		line = c.what.ReplaceAllString(line, c.with)
	}
	return buildID.ReplaceAllStringFunc(line, func(id string) string {
		short := id[:12]
		if r.builds[short] == "" {
			r.builds[short] = "build" + strconv.Itoa(len(r.builds)+1)
		}
		return r.builds[short]
	})
}

// compare fails the test for every step in which two transcripts differ beyond
// what is allowed.
func compare(t *testing.T, a, b []entry) {
	t.Helper()
	for i := range min(len(a), len(b)) {
		if a[i].step != b[i].step {
			t.Fatalf("step %d is %q in one and %q in the other", i, a[i].step, b[i].step)
		}
		if d := diff(a[i].lines, b[i].lines); len(d) > 0 {
			t.Errorf("%s: single (-) and multi (+) differ:\n%s", a[i].step, strings.Join(d, "\n"))
		}
	}
	if len(a) != len(b) {
		t.Fatalf("%d steps in one and %d in the other", len(a), len(b))
	}
}

// diff gives the lines that a and b do not share, by their longest common
// subsequence.
func diff(a, b []string) []string {
	long := make([][]int, len(a)+1)
	for i := range long {
		long[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				long[i][j] = 1 + long[i+1][j+1]
			} else {
				long[i][j] = max(long[i+1][j], long[i][j+1])
			}
		}
	}
	var out []string
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && long[i+1][j] >= long[i][j+1]:
			out = append(out, "  - "+a[i])
			i++
		default:
			out = append(out, "  + "+b[j])
			j++
		}
	}
	return out
}
