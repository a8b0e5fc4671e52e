package rules

import (
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestImportDirection: a package that knows nothing of those above it can be read,
// tested and used without them.
func TestImportDirection(t *testing.T) {
	lines := table(t, "imports.txt")
	all := packages(t)
	for _, path := range slices.Sorted(maps.Keys(all)) {
		name, ok := local(path)
		if !ok {
			continue
		}
		p := all[path]
		if p.Error != nil {
			t.Errorf("%s: cannot be listed: %s", name, p.Error.Err)
			continue
		}
		checkImports(t, lines, name, slices.Concat(p.Imports, p.TestImports, p.XTestImports))
	}
}

// TestImportDirectionOfNestedModules reads their files: go list knows nothing of them.
func TestImportDirectionOfNestedModules(t *testing.T) {
	lines := table(t, "imports.txt")
	nested := nestedModules(t)
	for _, s := range sources(t) {
		if !matchesAny(nested, s.name) {
			continue
		}
		var imported []string
		for _, i := range s.tree.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			imported = append(imported, name)
		}
		checkImports(t, lines, path.Dir(s.name), imported)
	}
}

// TestNestedModulesStayOutside: who imports this module gets none of their
// dependencies.
func TestNestedModulesStayOutside(t *testing.T) {
	nested := nestedModules(t)
	if len(nested) == 0 {
		t.Fatal("there are no nested modules: this test and the other one about them can go")
	}
	for _, path := range slices.Sorted(maps.Keys(packages(t))) {
		if name, ok := local(path); ok && matchesAny(nested, name) {
			t.Errorf("%s of a nested module is imported by this one", name)
		}
	}
}

// nestedModules gives the trees that have a go.mod of their own.
func nestedModules(t *testing.T) []string {
	t.Helper()
	var trees []string
	for _, name := range allFiles(t) {
		if path.Base(name) == "go.mod" && name != "go.mod" && !strings.Contains("/"+name, "/testdata/") {
			trees = append(trees, path.Dir(name)+"/...")
		}
	}
	return trees
}

func checkImports(t *testing.T, lines []line, name string, imported []string) {
	t.Helper()
	allowed, found := allowedFor(lines, name)
	if !found {
		t.Errorf("%s: testdata/imports.txt does not say what it may import; "+
			"a new package has a place among the others, and somebody decides which", name)
		return
	}
	for _, path := range imported {
		other, ok := local(path)
		if ok && other != name && !matchesAny(allowed, other) && !matches(name+"/internal/...", other) {
			t.Errorf("%s imports %s: it may import %s alone, so that what lies below does not know "+
				"what lies above (testdata/imports.txt)", name, other, strings.Join(allowed, ", "))
		}
	}
}

// allowedFor finds the line that counts for a package: the longest that matches.
func allowedFor(lines []line, name string) (allowed []string, found bool) {
	longest := 0
	for _, l := range lines {
		if n := len(l.words[0]); matches(l.words[0], name) && n > longest {
			longest, allowed, found = n, l.words[1:], true
		}
	}
	return allowed, found
}

// TestModulesHaveTheirPlaces: a dependency that is imported in one place can be
// replaced there.
func TestModulesHaveTheirPlaces(t *testing.T) {
	places := make(map[string][]string)
	for _, l := range table(t, "modules.txt") {
		places[l.words[0]] = l.words[1:]
	}
	all := packages(t)
	for _, path := range slices.Sorted(maps.Keys(all)) {
		name, ok := local(path)
		if !ok {
			continue
		}
		for _, imported := range all[path].Imports {
			other := all[imported]
			if other.Module == nil || other.Module.Path == module {
				continue
			}
			where, ok := places[other.Module.Path]
			switch {
			case !ok:
				t.Errorf("%s imports %s: the module is not in testdata/modules.txt; a new dependency is a decision", name, imported)
			case where[0] != "all" && !matchesAny(where, name):
				t.Errorf("%s imports %s: only %s may, so that the module can be replaced there (testdata/modules.txt)",
					name, imported, strings.Join(where, ", "))
			}
		}
	}
}

// TestNothingHeavyIsLinked: who imports a light package gets a light binary.
func TestNothingHeavyIsLinked(t *testing.T) {
	lines := table(t, "links.txt")
	all := packages(t)
	for _, path := range slices.Sorted(maps.Keys(all)) {
		name, ok := local(path)
		if !ok {
			continue
		}
		var banned []string
		for _, l := range lines {
			if matches(l.words[0], name) {
				banned = append(banned, l.words[1:]...)
			}
		}
		if banned == nil {
			continue
		}
		linked := needs(all, path)
		for _, far := range slices.Sorted(maps.Keys(linked)) {
			other := far
			if short, ok := local(far); ok {
				other = short
			} else if m := all[far].Module; m == nil {
				continue // of the standard library
			}
			if other != name && matchesAny(banned, other) {
				t.Errorf("%s links %s, by way of %s: it must stay without, so that small programs stay small (testdata/links.txt)",
					name, other, linked[far])
			}
		}
	}
}

// needs gives all that a package is linked with, each with who imports it.
func needs(all map[string]pkg, path string) map[string]string {
	found := make(map[string]string)
	queue := []string{path}
	for len(queue) > 0 {
		next := queue[0]
		queue = queue[1:]
		for _, imported := range all[next].Imports {
			if _, ok := found[imported]; !ok {
				found[imported] = next
				queue = append(queue, imported)
			}
		}
	}
	return found
}
