package policy

import (
	"go/ast"
	"path"
	"slices"
	"strings"
)

// Row says which packages of ours the packages in a top-level folder may import. Packages in the same top-level folder
// may always be imported. Packages in internal are free to import and to be imported, but nobody reaches through them
// what the own row does not allow.
type Row struct {
	Folder string
	// May lists packages, by folder: "store" is that package alone, "store/..." those below it as well, "..." all.
	May []string
	// Why says to whoever meets the fault what the row protects.
	Why string
}

// Owner says that only some top-level folders may import a module of others.
type Owner struct {
	// Packages is a prefix of import paths.
	Packages string
	Folders  []string
	Why      string
}

// Imports checks that packages import only what their row of the table allows. Tests are not looked at: they may reach
// across to try the real thing.
func Imports(t *Tree, table []Row) []string {
	var faults []string
	for _, f := range t.Files {
		if f.Test || top(f.Folder()) == internal {
			continue
		}
		folder := top(f.Folder())
		at := slices.IndexFunc(table, func(r Row) bool { return r.Folder == folder })
		if at < 0 {
			faults = append(faults, t.fault(f.AST.Package,
				"folder %s is not in the table; add its row to DESIGN.md and to internal/policy, or move the package", folder))
			continue
		}
		for _, r := range t.reached(f) {
			imported, ours := ownFolder(r.name)
			if !ours || top(imported) == folder || top(imported) == internal || table[at].allows(imported) {
				continue
			}
			faults = append(faults, t.fault(r.spec.Pos(),
				"%s may not import %s%s (%s); define the interface that it needs on this side, and let cmd join them",
				folder, imported, r.through(), table[at].Why))
		}
	}
	return sorted(faults)
}

// Owners checks that modules of others are imported only where they belong. Tests are not looked at.
func Owners(t *Tree, owners []Owner) []string {
	var faults []string
	for _, f := range t.Files {
		if f.Test || top(f.Folder()) == internal || top(f.Folder()) == "cmd" {
			continue
		}
		for _, r := range t.reached(f) {
			for _, o := range owners {
				if !under(r.name, o.Packages) {
					continue
				}
				if !slices.Contains(o.Folders, top(f.Folder())) {
					faults = append(faults, t.fault(r.spec.Pos(), "only %s may import %s%s (%s); ask one of them for what is needed",
						strings.Join(o.Folders, ", "), o.Packages, r.through(), o.Why))
				}
				break // the first owner that fits decides: a part of a module may have one of its own
			}
		}
	}
	return sorted(faults)
}

// Links checks that none of the packages in deps, which a program is linked from, comes from a forbidden module.
func Links(program string, deps, forbidden []string) []string {
	var faults []string
	for _, dep := range deps {
		for _, module := range forbidden {
			if under(dep, module) {
				faults = append(faults, program+" links "+dep+"; find the way with `go list -deps` and cut it: it runs on small machines")
			}
		}
	}
	return sorted(faults)
}

// internal is the folder of what every package may use.
const internal = "internal"

// reach is a package that a file imports.
type reach struct {
	name string
	// spec is the import in the file itself.
	spec *ast.ImportSpec
	// via is the package in internal through which it comes; "" for what the file imports itself.
	via string
}

func (r reach) through() string {
	if r.via == "" {
		return ""
	}
	return ", through " + r.via
}

// reached lists what a file imports, itself and through packages in internal.
func (t *Tree) reached(f *File) (all []reach) {
	for spec, name := range f.imports() {
		all = append(all, reach{name: name, spec: spec})
		seen := make(map[string]bool)
		t.throughInternal(name, seen, func(name, via string) {
			all = append(all, reach{name: name, spec: spec, via: via})
		})
	}
	return all
}

func (t *Tree) throughInternal(name string, seen map[string]bool, found func(name, via string)) {
	folder, ours := ownFolder(name)
	if !ours || top(folder) != internal || seen[folder] {
		return
	}
	seen[folder] = true
	for _, f := range t.Files {
		if f.Folder() != folder || f.Test {
			continue
		}
		for _, next := range f.imports() {
			found(next, folder)
			t.throughInternal(next, seen, found)
		}
	}
}

func (r Row) allows(folder string) bool {
	return slices.ContainsFunc(r.May, func(may string) bool {
		if may == "..." {
			return true
		}
		if whole, ok := strings.CutSuffix(may, "/..."); ok {
			return under(folder, whole)
		}
		return folder == may
	})
}

// ownFolder returns the folder of an import path of ours.
func ownFolder(name string) (folder string, ours bool) {
	if name == Module {
		return ".", true
	}
	return strings.CutPrefix(name, Module+"/")
}

// under says whether an import path or folder is the prefix or below it.
func under(name, prefix string) bool {
	return name == prefix || strings.HasPrefix(name, prefix+"/")
}

// top is the first element of a folder.
func top(folder string) string {
	first, _, _ := strings.Cut(path.Clean(folder), "/")
	return first
}

func sorted(faults []string) []string {
	slices.Sort(faults)
	return slices.Compact(faults)
}
