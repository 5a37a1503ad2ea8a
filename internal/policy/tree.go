package policy

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Module is the path of this module, with which imports of our own packages begin.
const Module = "github.com/lamppost-city/lamppost"

// Tree is a set of parsed Go files. It does not change.
type Tree struct {
	Files []*File
	fset  *token.FileSet
}

// File is one Go file.
type File struct {
	// Path is relative to the root, with slashes.
	Path string
	// Lines is how many lines it has.
	Lines int
	// Test is true for _test.go files.
	Test bool
	// Generated is true where the file says so (https://go.dev/s/generatedcode).
	Generated bool
	// AST is the parsed file, with comments.
	AST *ast.File
}

// Folder is the package's folder, relative to the root; "." is the root itself.
func (f *File) Folder() string { return path.Dir(f.Path) }

// Read parses the Go files among paths, relative to fsys. Build constraints are not heeded: a file for another system is
// held to the same rules.
func Read(fsys fs.FS, paths []string) (*Tree, error) {
	t := &Tree{fset: token.NewFileSet()}
	for _, p := range paths {
		if path.Ext(p) != ".go" || slices.Contains(strings.Split(p, "/"), "testdata") {
			continue
		}
		text, err := fs.ReadFile(fsys, p)
		if err != nil {
			return nil, err
		}
		parsed, err := parser.ParseFile(t.fset, p, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		t.Files = append(t.Files, &File{
			Path:      p,
			Lines:     strings.Count(strings.TrimSuffix(string(text), "\n"), "\n") + 1,
			Test:      strings.HasSuffix(p, "_test.go"),
			Generated: ast.IsGenerated(parsed),
			AST:       parsed,
		})
	}
	return t, nil
}

// fault says where, then what is wrong and what to do.
func (t *Tree) fault(at token.Pos, format string, args ...any) string {
	where := t.fset.Position(at)
	return fmt.Sprintf("%s:%d: %s", where.Filename, where.Line, fmt.Sprintf(format, args...))
}

// imports lists what a file imports.
func (f *File) imports() map[*ast.ImportSpec]string {
	all := make(map[*ast.ImportSpec]string, len(f.AST.Imports))
	for _, spec := range f.AST.Imports {
		if name, err := strconv.Unquote(spec.Path.Value); err == nil {
			all[spec] = name
		}
	}
	return all
}

// nameOf is the name under which a file imports a package of the standard library; "" if it does not.
func (f *File) nameOf(pkg string) string {
	for spec, name := range f.imports() {
		switch {
		case name != pkg:
		case spec.Name != nil:
			return spec.Name.Name
		default:
			return path.Base(pkg)
		}
	}
	return ""
}
