package conformance

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// difference is something in which the modes may differ. docs/modes.md explains
// each in the row of its table that begins with the same name.
type difference struct {
	name  string
	lines *regexp.Regexp // what it concerns
	with  string         // what the match becomes in both modes; empty: the line is left out
}

// differences are all that there may be.
func differences() []difference {
	return []difference{
		{"mode", regexp.MustCompile(`\b(single|multi) mode\b`), "MODE mode"},
		{"mode", regexp.MustCompile(`\.(m|M)ode = (single|multi)$`), ".mode = MODE"},
		{"worker", regexp.MustCompile(`\.worker = \w+$`), ".worker = WORKER"},
		{"worker", regexp.MustCompile(`\bWORKER=\w+ (LISTEN|PROCESSES)=`), "WORKER=WORKER $1="},
		{"worker", regexp.MustCompile(`^out worker  +\w+$`), "worker WORKER"},
		{"worker", regexp.MustCompile(`\bworker \w+/([\d.]+) failed\b`), "worker WORKER/$1 failed"},
		{"workers", regexp.MustCompile(`\bWORKER=\w+ INSTANCE=`), ""},
		{"workers", regexp.MustCompile(`\.workers\[\d+\]`), ""},
		{"workers", regexp.MustCompile(`\bworker \w+/\d+: new process of build `), ""},
		{"output", regexp.MustCompile(`^err   \| `), ""},
		{"crash", regexp.MustCompile(`: (the master ended before it was ready|worker WORKER/1.1 failed in its start): exit status 3`), ": PROCESS: exit status 3"},
		{"generation", regexp.MustCompile(`\.instances\[\d+\]\.generation = \d+$`), ""},
		{"generation", regexp.MustCompile(`\.info\.build\.id = `), ""},
		{"generation", regexp.MustCompile(`^out build build\d+ from `), ""},
		{"generation", regexp.MustCompile(`^out note: the master itself still runs build `), ""},
		{"events", regexp.MustCompile(`^master_state master upgrading, and running again$`), ""},
	}
}

// listedDifferences are the names that docs/modes.md has in its table.
func listedDifferences(t *testing.T) (names []string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/modes.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		names = append(names, m[1])
	}
	return names
}

// allowedDifferences are all, once it is sure that the page has each.
func allowedDifferences(t *testing.T) []difference {
	t.Helper()
	listed := listedDifferences(t)
	all := differences()
	for _, d := range all {
		if !slices.Contains(listed, d.name) {
			t.Errorf("docs/modes.md has no row for the difference %s", d.name)
		}
	}
	return all
}

// apply makes the same of what may differ.
func apply(told []entry, all []difference) []entry {
	out := make([]entry, len(told))
	for i, e := range told {
		out[i].step = e.step
		for _, line := range e.lines {
			if line, ok := same(line, all); ok {
				out[i].lines = append(out[i].lines, line)
			}
		}
	}
	return out
}

func same(line string, all []difference) (string, bool) {
	for _, d := range all {
		if !d.lines.MatchString(line) {
			continue
		}
		if d.with == "" {
			return "", false
		}
		line = d.lines.ReplaceAllString(line, d.with)
	}
	return line, true
}

// everyDifferenceIsReal fails the test for a rule that nothing needs any more.
func everyDifferenceIsReal(t *testing.T, told [2][]entry, all []difference) {
	t.Helper()
	for i, d := range all {
		others := append(append([]difference(nil), all[:i]...), all[i+1:]...)
		single, multi := apply(told[0], others), apply(told[1], others)
		needed := false
		for j := range min(len(single), len(multi)) {
			needed = needed || strings.Join(single[j].lines, "\n") != strings.Join(multi[j].lines, "\n")
		}
		if !needed {
			t.Errorf("the modes do not differ in %s (%v) any more", d.name, d.lines)
		}
	}
}
