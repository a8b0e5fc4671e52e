package rules

import (
	"fmt"
	"go/ast"
	"go/token"
	"testing"
)

// checkVariables allows error values, proofs that a type implements an interface,
// and tables: arrays that nothing in their package changes.
func checkVariables(s source, allowed *exempt, report func(token.Pos, string)) {
	for _, d := range s.tree.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, spec := range g.Specs {
			values := spec.(*ast.ValueSpec)
			for i, name := range values.Names {
				if !constant(values, i, s.touched) && !allowed.has(s.name, name.Name) {
					report(name.Pos(), "var "+name.Name)
				}
			}
		}
	}
}

// constant tells whether the i-th variable of spec is one that does not change.
func constant(spec *ast.ValueSpec, i int, touched map[string]bool) bool {
	name := spec.Names[i]
	switch {
	case name.Name == "_":
		return true
	case len(spec.Values) != len(spec.Names):
		return false
	case isError(spec.Values[i]):
		return !touched[name.Name]
	}
	return isTable(spec.Values[i]) && !name.IsExported() && !touched[name.Name]
}

// isError recognises errors.New and fmt.Errorf.
func isError(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	name := calledName(call)
	return name == "errors.New" || name == "fmt.Errorf"
}

// isTable recognises an array that is written out. A slice is none: who gets it
// can write to it.
func isTable(e ast.Expr) bool {
	lit, ok := e.(*ast.CompositeLit)
	if !ok {
		return false
	}
	array, ok := lit.Type.(*ast.ArrayType)
	return ok && array.Len != nil
}

// changed gives the variables that a node assigns to, in whole or in part, takes
// the address of, or slices.
func changed(n ast.Node) []string {
	var targets []ast.Expr
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			targets = n.Lhs
		}
	case *ast.IncDecStmt:
		targets = []ast.Expr{n.X}
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			targets = []ast.Expr{n.X}
		}
	case *ast.SliceExpr:
		targets = []ast.Expr{n.X}
	}
	var names []string
	for _, target := range targets {
		if name := baseName(target); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// declared gives the names that a function declares: its parameters and locals.
func declared(d ast.Decl) map[string]bool {
	own := make(map[string]bool)
	if _, ok := d.(*ast.FuncDecl); !ok {
		return own
	}
	ast.Inspect(d, func(n ast.Node) bool {
		var names []ast.Expr
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				names = n.Lhs
			}
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				names = []ast.Expr{n.Key, n.Value}
			}
		case *ast.Field:
			for _, name := range n.Names {
				names = append(names, name)
			}
		case *ast.ValueSpec:
			for _, name := range n.Names {
				names = append(names, name)
			}
		}
		for _, name := range names {
			if id, ok := name.(*ast.Ident); ok {
				own[id.Name] = true
			}
		}
		return true
	})
	return own
}

// baseName is v of v[i].f and the like.
func baseName(e ast.Expr) string {
	for {
		switch x := e.(type) {
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// exempt are the exceptions from one rule.
type exempt struct {
	rule string
	used map[string]bool // by file and name
	line map[string]int
}

// exceptions reads those from one rule; each must say its reason.
func exceptions(t *testing.T, rule string) *exempt {
	t.Helper()
	e := &exempt{rule: rule, used: make(map[string]bool), line: make(map[string]int)}
	for _, l := range table(t, "exceptions.txt") {
		if len(l.words) < 6 {
			t.Fatalf("testdata/exceptions.txt:%d: want a rule, a file, a name and a reason in words", l.number)
		}
		if l.words[0] == rule {
			e.line[l.words[1]+" "+l.words[2]] = l.number
		}
	}
	return e
}

func (e *exempt) has(file, name string) bool {
	key := fmt.Sprint(file, " ", name)
	if e.line[key] == 0 {
		return false
	}
	e.used[key] = true
	return true
}

// unused complains of exceptions that nothing needs.
func (e *exempt) unused(t *testing.T) {
	t.Helper()
	for key, number := range e.line {
		if !e.used[key] {
			t.Errorf("testdata/exceptions.txt:%d: nothing needs this exception any more (%s): remove it", number, key)
		}
	}
}
