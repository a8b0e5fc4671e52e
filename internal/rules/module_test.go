package rules

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/dserver/dserver"

// root is the module's folder, as seen from this package's.
const root = "../.."

// pkg is what go list tells of a package.
type pkg struct {
	ImportPath   string
	Standard     bool
	Imports      []string
	TestImports  []string
	XTestImports []string
	Module       *struct{ Path string }
	Error        *struct{ Err string }
}

// graph is every package of this module and everything it needs, by import path.
var graph = sync.OnceValues(func() (map[string]pkg, error) {
	const fields = "-json=ImportPath,Standard,Imports,TestImports,XTestImports,Module,Error"
	cmd := exec.Command("go", "list", "-e", "-deps", fields, "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, errors.Join(err, errors.New(stderr.String()))
	}
	packages := make(map[string]pkg)
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, err
		}
		packages[p.ImportPath] = p
	}
})

func packages(t *testing.T) map[string]pkg {
	t.Helper()
	all, err := graph()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// local gives the name within this module; ok is false for other packages.
func local(path string) (name string, ok bool) {
	if path == module {
		return ".", true
	}
	return strings.CutPrefix(path, module+"/")
}

// files gives every file of the repository, tests, testdata and nested modules
// included, and leaves out what git ignores and hidden folders other than .ci.
var files = sync.OnceValues(func() ([]string, error) {
	ignored := ignores()
	var list []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil || name == "." {
			return err
		}
		if d.IsDir() {
			hidden := strings.HasPrefix(d.Name(), ".") && name != ".ci" && name != ".github"
			if hidden || ignored(name) {
				return filepath.SkipDir
			}
			return nil
		}
		worktree := name == ".git" // else it is a folder
		if d.Type().IsRegular() && !worktree && !ignored(name) {
			list = append(list, filepath.ToSlash(name))
		}
		return nil
	})
	return list, err
})

// ignores reads the few kinds of pattern that .gitignore uses here.
func ignores() func(name string) bool {
	text, err := os.ReadFile(filepath.Join(root, ".gitignore"))
	if err != nil {
		return func(string) bool { return false }
	}
	return func(name string) bool {
		for _, pattern := range strings.Fields(string(text)) {
			pattern = strings.TrimSuffix(pattern, "/")
			subject := filepath.Base(name)
			if rooted, ok := strings.CutPrefix(pattern, "/"); ok {
				pattern, subject = rooted, name
			}
			if ok, err := filepath.Match(pattern, subject); err == nil && ok {
				return true
			}
		}
		return false
	}
}

func allFiles(t *testing.T) []string {
	t.Helper()
	list, err := files()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// line is one line of a table: the words on it.
type line struct {
	number int
	words  []string
}

// table reads a file of testdata; # begins a comment.
func table(t *testing.T, name string) []line {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []line
	number := 0
	for in := bufio.NewScanner(f); in.Scan(); {
		number++
		text, _, _ := strings.Cut(in.Text(), "#")
		if words := strings.Fields(text); len(words) > 0 {
			lines = append(lines, line{number, words})
		}
	}
	if len(lines) == 0 {
		t.Fatalf("%s is empty", name)
	}
	return lines
}

// matches tells whether name is pattern, or lies in the tree that pattern names.
func matches(pattern, name string) bool {
	tree, ok := strings.CutSuffix(pattern, "/...")
	return name == tree || ok && strings.HasPrefix(name, tree+"/")
}

func matchesAny(patterns []string, name string) bool {
	for _, pattern := range patterns {
		if matches(pattern, name) {
			return true
		}
	}
	return false
}
