package policy

import (
	"fmt"
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Comments checks that every package has one package comment, of at least two sentences: STYLE asks which hop it is, what
// comes in, what goes out and who calls it.
func Comments(t *Tree) []string {
	docs := make(map[string][]*File)
	first := make(map[string]*File)
	for _, f := range t.Files {
		if f.Test {
			continue
		}
		if first[f.Folder()] == nil {
			first[f.Folder()] = f
		}
		if f.AST.Doc != nil {
			docs[f.Folder()] = append(docs[f.Folder()], f)
		}
	}
	var faults []string
	for folder, f := range first {
		switch found := docs[folder]; {
		case len(found) == 0:
			faults = append(faults, t.fault(f.AST.Package,
				"package %s has no package comment; say in doc.go which hop it is, what comes in, what goes out, who calls it", folder))
		case len(found) > 1:
			faults = append(faults, t.fault(found[1].AST.Package,
				"package %s has a package comment in %s as well; keep one of them", folder, found[0].Path))
		case sentences(found[0].AST.Doc.Text()) < 2:
			faults = append(faults, t.fault(found[0].AST.Package,
				"the comment of package %s has fewer than two sentences; say what comes in, what goes out and who calls it", folder))
		}
	}
	return sorted(faults)
}

var (
	// shortened are the abbreviations whose full stops end no sentence.
	shortened = regexp.MustCompile(`\b(e\.g|i\.e|etc|cf|vs)\.`)
	ends      = regexp.MustCompile(`[.!?]["')]*(\s|$)`)
)

func sentences(text string) int {
	var prose []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "\t") && !strings.HasPrefix(line, "  ") { // pictures and code are indented
			prose = append(prose, line)
		}
	}
	return len(ends.FindAllString(shortened.ReplaceAllString(strings.Join(prose, ""), ""), -1))
}

// Functions checks that no function is longer than most lines, from its first to its last. Generated files are not looked
// at, tests are.
func Functions(t *Tree, most int) []string {
	var faults []string
	t.each(func(f *File, n ast.Node) bool {
		name, body := "", (*ast.BlockStmt)(nil)
		switch n := n.(type) {
		case *ast.FuncDecl:
			name, body = n.Name.Name, n.Body
		case *ast.FuncLit:
			name, body = "a function without a name", n.Body
		}
		if body == nil || f.Generated {
			return !f.Generated
		}
		if lines := t.fset.Position(body.End()).Line - t.fset.Position(n.Pos()).Line + 1; lines > most {
			faults = append(faults, t.fault(n.Pos(), "%s has %d lines, %d are allowed; cut it where it changes the subject",
				name, lines, most))
			return false // what is within it is said with it
		}
		return true
	})
	return sorted(faults)
}

// Files checks that no file is longer than most lines. Generated files are not looked at, tests are.
func Files(t *Tree, most int) []string {
	var faults []string
	for _, f := range t.Files {
		if f.Lines > most && !f.Generated {
			faults = append(faults, fmt.Sprintf("%s: has %d lines, %d are allowed; give each idea a file of its own",
				f.Path, f.Lines, most))
		}
	}
	return sorted(faults)
}

// Inits checks that there is no init function.
func Inits(t *Tree) []string {
	var faults []string
	t.each(func(_ *File, n ast.Node) bool {
		f, ok := n.(*ast.FuncDecl)
		if ok && f.Recv == nil && f.Name.Name == "init" {
			faults = append(faults, t.fault(f.Pos(), "init runs behind everybody's back; call a function where it is needed"))
		}
		return !ok
	})
	return sorted(faults)
}

// Names checks that no package, and no folder above one, has a name that says nothing.
func Names(t *Tree) []string {
	empty := []string{
		"base", "common", "helper", "helpers", "impl", "manager", "managers", "misc", "model", "models", "pkg", "shared",
		"types", "util", "utils",
	}
	var faults []string
	for _, f := range t.Files {
		name := strings.TrimSuffix(f.AST.Name.Name, "_test")
		for _, word := range append(strings.Split(f.Folder(), "/"), name) {
			if slices.Contains(empty, word) {
				faults = append(faults, fmt.Sprintf("%s: %q does not say what the package does; name it by that, in one word",
					f.Folder(), word))
			}
		}
		if parent := path.Base(path.Dir(f.Folder())); len(parent) > 2 && parent != name && strings.HasPrefix(name, parent) &&
			!strings.HasSuffix(name, "test") {
			faults = append(faults, fmt.Sprintf("%s: %q repeats its parent %q; leave that out", f.Folder(), name, parent))
		}
	}
	return sorted(faults)
}

// Exits checks that nothing but the function main of a program ends the process, tests aside.
func Exits(t *Tree) []string {
	var faults []string
	for _, f := range t.Files {
		if f.Test {
			continue
		}
		for _, end := range []struct{ pkg, call string }{
			{"os", "Exit"}, {"log", "Fatal"}, {"log", "Fatalf"}, {"log", "Fatalln"}, {"syscall", "Exit"},
		} {
			name := f.nameOf(end.pkg)
			ast.Inspect(f.AST, func(n ast.Node) bool {
				if function, ok := n.(*ast.FuncDecl); ok && f.AST.Name.Name == "main" && function.Name.Name == "main" && function.Recv == nil {
					return false
				}
				selected, ok := n.(*ast.SelectorExpr)
				if ok && name != "" && isName(selected.X, name) && selected.Sel.Name == end.call {
					faults = append(faults, t.fault(n.Pos(), "%s.%s ends the process; return an error up to main", end.pkg, end.call))
				}
				return true
			})
		}
	}
	return sorted(faults)
}

// Panics checks that panic is called only in the functions that are listed, as "folder/file.go function", each with the
// reason. Tests are not looked at.
func Panics(t *Tree, listed map[string]string) []string {
	var faults []string
	for _, f := range t.Files {
		for _, declared := range f.AST.Decls {
			place := f.Path
			if function, ok := declared.(*ast.FuncDecl); ok {
				place += " " + function.Name.Name
			}
			if f.Test || listed[place] != "" {
				continue
			}
			ast.Inspect(declared, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok && isName(call.Fun, "panic") {
					faults = append(faults, t.fault(n.Pos(),
						"panic is for broken invariants; return an error, or list %q with the reason in internal/policy", place))
				}
				return true
			})
		}
	}
	return sorted(faults)
}

// Replaced checks that a go.mod file replaces no module: whoever imports ours would not get the replacement.
func Replaced(mod []byte) []string {
	var faults []string
	for i, line := range strings.Split(string(mod), "\n") {
		if words := strings.Fields(line); len(words) > 0 && (words[0] == "replace" || words[0] == "replace(") {
			faults = append(faults, fmt.Sprintf("go.mod:%d: replace is not used here; require a version that works", i+1))
		}
	}
	return faults
}

// each walks all files.
func (t *Tree) each(visit func(*File, ast.Node) bool) {
	for _, f := range t.Files {
		ast.Inspect(f.AST, func(n ast.Node) bool { return visit(f, n) })
	}
}

func isName(x ast.Expr, name string) bool {
	ident, ok := x.(*ast.Ident)
	return ok && ident.Name == name
}
