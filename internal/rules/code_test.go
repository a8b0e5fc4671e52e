package rules

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	maxFile     = 400 // lines of a file that is not a test
	maxFunction = 60  // lines of a function, from func to the last brace
)

// source is one Go file.
type source struct {
	name string // within the module
	data []byte
	set  *token.FileSet
	tree *ast.File

	touched map[string]bool // names that the package assigns to or points at
}

// touch collects what the file changes into touched. What a function declares
// itself is not the package's.
func (s source) touch() {
	for _, d := range s.tree.Decls {
		own := declared(d)
		ast.Inspect(d, func(n ast.Node) bool {
			for _, name := range changed(n) {
				if !own[name] {
					s.touched[name] = true
				}
			}
			return true
		})
	}
}

func (s source) line(p token.Pos) int { return s.set.Position(p).Line }

// at is the place of p for a person.
func (s source) at(p token.Pos) string { return fmt.Sprintf("%s:%d", s.name, s.line(p)) }

// sources parses every Go file outside of testdata.
func sources(t *testing.T) []source {
	t.Helper()
	var list []source
	packages := make(map[string]map[string]bool)
	for _, name := range allFiles(t) {
		if path.Ext(name) != ".go" || strings.Contains("/"+name, "/testdata/") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		s := source{name: name, data: data, set: token.NewFileSet()}
		if s.tree, err = parser.ParseFile(s.set, name, data, parser.ParseComments|parser.SkipObjectResolution); err != nil {
			t.Errorf("cannot be parsed: %v", err)
			continue
		}
		if packages[path.Dir(name)] == nil {
			packages[path.Dir(name)] = make(map[string]bool)
		}
		s.touched = packages[path.Dir(name)]
		s.touch()
		list = append(list, s)
	}
	if len(list) < 10 {
		t.Fatalf("only %d Go files found", len(list))
	}
	return list
}

// code gives the files that people write and users run: no tests, nothing
// generated.
func code(t *testing.T) []source {
	t.Helper()
	var list []source
	for _, s := range sources(t) {
		if !strings.HasSuffix(s.name, "_test.go") && !ast.IsGenerated(s.tree) {
			list = append(list, s)
		}
	}
	return list
}

// program tells whether a file belongs to a command or an example, which may
// print and exit.
func (s source) program() bool {
	return s.tree.Name.Name == "main" || matches("cmd/...", s.name) || matches("examples/...", s.name)
}

// A rule looks at one file and reports what does not obey.
type rule struct {
	name   string // as in testdata/exceptions.txt
	reason string
	check  func(s source, allowed *exempt, report func(p token.Pos, what string))
}

func codeRules() []rule {
	return []rule{
		{"length", "what fits on a few screens gets read as a whole", checkLength},
		{"init", "nothing happens because a package is imported: such code cannot be ordered, tested or left out", checkInit},
		{"go", "goroutines are started through internal/group, whose owner waits for them " +
			"(or testdata/exceptions.txt says who does)", checkGo},
		{"exit", "only cmd and examples end the process or write to its terminal; " +
			"return an error, or write to a writer that was handed in", checkExit},
		{"variable", "what a package keeps is shared by all who import it; make it a function or a field " +
			"(or testdata/exceptions.txt says why not)", checkVariables},
	}
}

// TestCode applies the rules to all code.
func TestCode(t *testing.T) {
	files := code(t)
	for _, r := range codeRules() {
		t.Run(r.name, func(t *testing.T) {
			allowed := exceptions(t, r.name)
			for _, s := range files {
				r.check(s, allowed, func(p token.Pos, what string) {
					t.Errorf("%s: %s: %s", s.at(p), what, r.reason)
				})
			}
			allowed.unused(t)
		})
	}
}

// TestRulesFindWhatTheyLookFor applies them to a sample in which a comment marks
// each line that does not obey, and how.
func TestRulesFindWhatTheyLookFor(t *testing.T) {
	const name = "testdata/sample.go.txt"
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	// Functions and files that are too long would make the sample too long.
	data = bytes.ReplaceAll(data, []byte("// 60 more lines"), bytes.Repeat([]byte("\n"), maxFunction))
	data = bytes.ReplaceAll(data, []byte("// 400 more lines"), bytes.Repeat([]byte("\n"), maxFile))
	s := source{name: name, data: data, set: token.NewFileSet()}
	if s.tree, err = parser.ParseFile(s.set, name, data, parser.ParseComments|parser.SkipObjectResolution); err != nil {
		t.Fatal(err)
	}
	s.touched = make(map[string]bool)
	s.touch()
	want := make(map[string]bool)
	for number, text := range bytes.Split(data, []byte("\n")) {
		if _, mark, ok := bytes.Cut(text, []byte("// want ")); ok {
			want[fmt.Sprintf("%d %s", number+1, mark)] = true
		}
	}
	for _, r := range codeRules() {
		allowed := &exempt{}
		r.check(s, allowed, func(p token.Pos, what string) {
			found := fmt.Sprintf("%d %s", s.line(p), r.name)
			if !want[found] {
				t.Errorf("%s: found in the sample, and not marked: %s", found, what)
			}
			delete(want, found)
		})
	}
	for missed := range want {
		t.Errorf("%s: marked in the sample, and not found", missed)
	}
}

func checkLength(s source, allowed *exempt, report func(token.Pos, string)) {
	if n := bytes.Count(s.data, []byte("\n")); n > maxFile && !allowed.has(s.name, "file") {
		report(s.tree.Package, fmt.Sprintf("the file has %d lines, %d are the limit", n, maxFile))
	}
	for _, d := range s.tree.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := s.line(f.End()) - s.line(f.Pos()) + 1; n > maxFunction && !allowed.has(s.name, functionName(f)) {
			report(f.Pos(), fmt.Sprintf("%s has %d lines, %d are the limit", functionName(f), n, maxFunction))
		}
	}
}

// functionName is Name or Type.Name.
func functionName(f *ast.FuncDecl) string {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return f.Name.Name
	}
	base := f.Recv.List[0].Type
	for {
		switch e := base.(type) {
		case *ast.StarExpr:
			base = e.X
		case *ast.IndexExpr:
			base = e.X
		case *ast.IndexListExpr:
			base = e.X
		case *ast.Ident:
			return e.Name + "." + f.Name.Name
		default:
			return f.Name.Name
		}
	}
}

func checkInit(s source, allowed *exempt, report func(token.Pos, string)) {
	for _, d := range s.tree.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && functionName(f) == "init" && !allowed.has(s.name, "init") {
			report(f.Pos(), "init()")
		}
	}
}

func checkGo(s source, allowed *exempt, report func(token.Pos, string)) {
	inFunctions(s, func(function string, n ast.Node) {
		if g, ok := n.(*ast.GoStmt); ok && !allowed.has(s.name, function) {
			report(g.Pos(), "go statement in "+function)
		}
	})
}

// inFunctions visits all nodes, with the name of the function they are in.
func inFunctions(s source, visit func(function string, n ast.Node)) {
	for _, d := range s.tree.Decls {
		function := "package"
		if f, ok := d.(*ast.FuncDecl); ok {
			function = functionName(f)
		}
		ast.Inspect(d, func(n ast.Node) bool {
			if n != nil {
				visit(function, n)
			}
			return true
		})
	}
}

func checkExit(s source, allowed *exempt, report func(token.Pos, string)) {
	if s.program() {
		return
	}
	inFunctions(s, func(function string, n ast.Node) {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return
		}
		if name := calledName(call); forbiddenCall(name) && !allowed.has(s.name, name) {
			report(call.Pos(), name+" in "+function)
		}
	})
}

func calledName(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name + "." + f.Sel.Name
		}
	}
	return ""
}

func forbiddenCall(name string) bool {
	switch name {
	case "panic", "print", "println", "os.Exit", "syscall.Exit", "unix.Exit",
		"fmt.Print", "fmt.Printf", "fmt.Println":
		return true
	}
	return strings.HasPrefix(name, "log.Fatal") || strings.HasPrefix(name, "log.Panic") || strings.HasPrefix(name, "log.Print")
}

// TestEveryPackageSaysWhatItIs: a reader who opens a folder begins with doc.go.
func TestEveryPackageSaysWhatItIs(t *testing.T) {
	type folder struct {
		main, hasDoc, hasComment bool
	}
	folders := make(map[string]*folder)
	var order []string
	for _, s := range code(t) {
		dir := path.Dir(s.name)
		f := folders[dir]
		if f == nil {
			f = &folder{}
			folders[dir] = f
			order = append(order, dir)
		}
		f.main = s.tree.Name.Name == "main"
		commented := s.tree.Doc != nil && len(s.tree.Doc.Text()) > 20
		f.hasComment = f.hasComment || commented
		f.hasDoc = f.hasDoc || commented && path.Base(s.name) == "doc.go"
	}
	for _, dir := range order {
		switch f := folders[dir]; {
		case f.main && !f.hasComment:
			t.Errorf("%s: the command has no package comment: it says what the program is for", dir)
		case !f.main && !f.hasDoc:
			t.Errorf("%s: there is no doc.go with a package comment: it says what the package is, who may import it, "+
				"and what is safe for concurrent use", dir)
		}
	}
}

// TestFormatted: nobody spends time on how code is laid out.
func TestFormatted(t *testing.T) {
	for _, s := range sources(t) {
		formatted, err := format.Source(s.data)
		if err != nil || !bytes.Equal(formatted, s.data) {
			t.Errorf("%s: not formatted: run gofmt -w %s (%v)", s.name, s.name, err)
		}
	}
}

// TestFilesSpeakOfTheSoftwareAlone: a path of the machine on which something was
// written means nothing to who reads it.
func TestFilesSpeakOfTheSoftwareAlone(t *testing.T) {
	machine := regexp.MustCompile(`(^|[^A-Za-z0-9_.\-/])/(wo` + `rk|ro` + `ot)/|\.\./sha` + `red`)
	for _, name := range allFiles(t) {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(data, 0) >= 0 {
			continue
		}
		for number, text := range bytes.Split(data, []byte("\n")) {
			if found := machine.Find(text); found != nil {
				t.Errorf("%s:%d: %q: files name no path of the machine they were written on", name, number+1, found)
			}
		}
	}
}
