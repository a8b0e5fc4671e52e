package docs_test

import (
	"flag"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what is made from code into the pages")

// pages lists the pages of the repository, as paths from its root.
func pages(t *testing.T) (list []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, e fs.DirEntry, err error) error {
		if e != nil && e.IsDir() && path != "." && (strings.HasPrefix(e.Name(), ".") || e.Name() == "testdata" || e.Name() == "bin") {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, ".md") {
			list = append(list, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, page := range pages(t) {
		for _, found := range link.FindAllStringSubmatch(withoutCode(t, page), -1) {
			target, anchor, _ := strings.Cut(found[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			if target == "" {
				target = path.Base(page)
			}
			to := path.Join(path.Dir(page), target)
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s: the link %s leads nowhere", page, found[1])
			} else if anchor != "" && !slices.Contains(anchors(t, to), anchor) {
				t.Errorf("%s: %s has no section %s", page, to, anchor)
			}
		}
	}
}

func withoutCode(t *testing.T, page string) string {
	text := read(t, page)
	for _, b := range blocks(t, page) {
		text = strings.Replace(text, b.text, "", 1)
	}
	return text
}

// anchors gives the names that headings get.
func anchors(t *testing.T, page string) (list []string) {
	for line := range strings.SplitSeq(withoutCode(t, page), "\n") {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			name := regexp.MustCompile(`[^\p{L}\p{N}\- ]`).ReplaceAllString(strings.ToLower(title), "")
			list = append(list, strings.ReplaceAll(name, " ", "-"))
		}
	}
	return list
}

// TestGoInPagesIsTheGoOfTheRepository: what a page shows is compiled and tested
// where it stands.
func TestGoInPagesIsTheGoOfTheRepository(t *testing.T) {
	for _, page := range pages(t) {
		for _, b := range blocks(t, page) {
			if b.lang == "go" && !isSource(t, b.text) {
				t.Errorf("%s:%d: no file below examples is or has this Go:\n%s", page, b.line, b.text)
			}
		}
	}
}

func isSource(t *testing.T, text string) bool {
	files, err := filepath.Glob(root + "/examples/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		return strings.Contains("\n"+read(t, strings.TrimPrefix(file, root)), "\n"+text)
	})
}

// TestReadmeTellsHowToTest: CI runs the very command.
func TestReadmeTellsHowToTest(t *testing.T) {
	list := blocks(t, "README.md")
	if !slices.ContainsFunc(list, func(b block) bool { return b.lang == "sh" && b.text == testCommand }) {
		t.Errorf("README.md has no block with %q alone", testCommand)
	}
	service := slices.IndexFunc(list, func(b block) bool { return b.lang == "go" })
	if service < 0 {
		t.Fatal("README.md shows no service")
	}
	if n := strings.Count(list[service].text, "\n"); n > 30 {
		t.Errorf("the service of README.md has %d lines, it promises 30", n)
	}
}

func TestChineseReadmeHasTheSameCode(t *testing.T) {
	english, chinese := code(blocks(t, "README.md")), code(blocks(t, "docs/zh/README.md"))
	if len(english) != len(chinese) {
		t.Fatalf("README.md has %d blocks of code, docs/zh/README.md has %d", len(english), len(chinese))
	}
	for i := range english {
		if english[i] != chinese[i] {
			t.Errorf("block %d of the Chinese README is\n%s\nthat of the English one\n%s", i+1, chinese[i], english[i])
		}
	}
}

func TestDecisionsAreListed(t *testing.T) {
	index := read(t, "docs/decisions/README.md")
	for _, page := range pages(t) {
		name, ok := strings.CutPrefix(page, "docs/decisions/")
		if !ok || name == "README.md" {
			continue
		}
		title, _, _ := strings.Cut(strings.TrimPrefix(read(t, page), "# "), "\n")
		if !strings.Contains(index, "("+name+") | "+title+" |") {
			t.Errorf("docs/decisions/README.md does not list %s as %q", name, title)
		}
	}
}

// TestDependenciesAreExplained: each direct requirement has its row with the
// version that is pinned, and no row is left of one that has gone.
func TestDependenciesAreExplained(t *testing.T) {
	direct, _, _ := strings.Cut(read(t, "go.mod"), ")\n")
	_, direct, _ = strings.Cut(direct, "require (\n")
	var want []string
	for line := range strings.Lines(direct) {
		if f := strings.Fields(line); len(f) == 2 {
			want = append(want, f[0]+" "+f[1])
		}
	}
	var got []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\S+)` \\| (v\\S+) \\|").FindAllStringSubmatch(read(t, "docs/decisions/0002-dependencies.md"), -1) {
		got = append(got, row[1]+" "+row[2])
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("docs/decisions/0002-dependencies.md explains\n%s\nand go.mod requires\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
