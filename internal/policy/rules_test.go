package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/lamppost-city/lamppost/internal/policy"
)

// tree parses files given as path and content.
func tree(t *testing.T, files map[string]string) *policy.Tree {
	t.Helper()
	fsys := make(fstest.MapFS)
	var paths []string
	for path, text := range files {
		fsys[path] = &fstest.MapFile{Data: []byte(text)}
		paths = append(paths, path)
	}
	slices.Sort(paths)
	parsed, err := policy.Read(fsys, paths)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// importing is a file that imports packages of ours, by folder, or of others, by path with a dot.
func importing(paths ...string) string {
	text := "package p\n"
	for _, p := range paths {
		if !strings.Contains(p, ".") {
			p = policy.Module + "/" + p
		}
		text += fmt.Sprintf("import _ %q\n", p)
	}
	return text
}

// lines is a function of n lines.
func lines(name string, n int) string {
	return "func " + name + "() {\n" + strings.Repeat("\t_ = 1\n", n-2) + "}\n"
}

// ruleTest shows a check one tree. Each entry of want is part of one fault; no entry means that the tree is fine.
type ruleTest struct {
	name  string
	files map[string]string
	want  []string
}

func runRules(t *testing.T, check func(*policy.Tree) []string, tests []ruleTest) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := check(tree(t, test.files))
			if len(got) != len(test.want) {
				t.Fatalf("%d faults, want %d:\n%s", len(got), len(test.want), strings.Join(got, "\n"))
			}
			for i, part := range test.want {
				if !strings.Contains(got[i], part) {
					t.Errorf("fault %q does not say %q", got[i], part)
				}
			}
		})
	}
}

func TestImports(t *testing.T) {
	runRules(t, func(tree *policy.Tree) []string { return policy.Imports(tree, table()) }, []ruleTest{
		{"along the arrows", map[string]string{
			"ingest/a.go": importing("telemetry", "telemetry/wire", "spool", "store", "ingest/ledger", "internal/secret", "example.com/x"),
			"cmd/x/a.go":  importing("ingest", "api"),
		}, nil},
		{"against the arrows", map[string]string{"telemetry/a.go": "package p\n\n" + importing("spool")[10:]}, []string{
			"telemetry/a.go:3: telemetry may not import spool (the words come before every hop); define the interface",
		}},
		{"data types are not the packages below them", map[string]string{"ingest/write/a.go": importing("store/influx")}, []string{"may not import store/influx"}},
		{"subpackages follow their top folder", map[string]string{"store/influx/a.go": importing("registry")}, []string{"store may not import registry"}},
		{"a name is not a folder because it begins alike", map[string]string{"query/a.go": importing("storehouse")}, []string{"may not import storehouse"}},
		{"internal is free", map[string]string{"internal/x/a.go": importing("telemetry", "ingest")}, nil},
		{"but no way round", map[string]string{
			"internal/x/a.go": importing("internal/y", "telemetry"), "internal/y/a.go": importing("internal/x", "api"),
			"ingest/a.go": importing("internal/x"),
		}, []string{"ingest/a.go:2: ingest may not import api, through internal/y"}},
		{"tests may reach across", map[string]string{"telemetry/a_test.go": importing("spool")}, nil},
		{"other systems' files count", map[string]string{"spool/a_windows.go": importing("telemetry")}, []string{"spool may not import telemetry"}},
		{"unknown folder", map[string]string{"extra/a.go": importing()}, []string{"folder extra is not in the table; add its row"}},
		{"the root is no folder", map[string]string{"a.go": importing()}, []string{"folder . is not in the table"}},
	})
}

func TestOwners(t *testing.T) {
	runRules(t, func(tree *policy.Tree) []string { return policy.Owners(tree, owners()) }, []ruleTest{
		{"owners", map[string]string{
			"cmd/x/a.go":          importing("github.com/spf13/viper", "github.com/spf13/cobra"),
			"config/a.go":         importing("github.com/spf13/viper"),
			"store/embedded/a.go": importing("github.com/influxdata/influxdb/tsdb", "github.com/influxdata/influxdb-client-go/v2"),
			"broker/a.go":         importing("github.com/nats-io/nats-server/v2/server"),
			"broker/a_test.go":    importing("github.com/eclipse/paho.mqtt.golang"),
			"simulate/a.go":       importing("github.com/eclipse/paho.mqtt.golang/packets", "github.com/influxdata/line-protocol/v2/lineprotocol"),
		}, nil},
		{"others", map[string]string{
			"api/a.go":        importing("github.com/spf13/viper"),
			"query/a.go":      importing("github.com/influxdata/influxdb-client-go/v2/api/http"),
			"service/a.go":    importing("internal/x"),
			"internal/x/a.go": importing("github.com/spf13/cobra"),
			"store/a.go":      importing("github.com/eclipse/paho.mqtt.golang"),
		}, []string{"only config may import", "only store may import", "github.com/spf13/cobra, through internal/x", "only ingest, simulate, firmware-bridge may import"}},
	})
}

func TestLinks(t *testing.T) {
	deps := []string{"fmt", "github.com/influxdata/influxdb-client-go/v2/api", "github.com/influxdata/influxdb"}
	got := policy.Links("./cmd/x", deps, []string{"github.com/influxdata/influxdb"})
	if len(got) != 1 || !strings.Contains(got[0], "./cmd/x links github.com/influxdata/influxdb;") {
		t.Errorf("got %q", got)
	}
}

func TestComments(t *testing.T) {
	runRules(t, policy.Comments, []ruleTest{
		{"two sentences", map[string]string{"a/a.go": "// Package a takes this. It gives that.\npackage a\n"}, nil},
		{"one is in another file", map[string]string{"a/a.go": "package a\n", "a/doc.go": "// Package a takes this.\n// It gives that.\npackage a\n"}, nil},
		{"none", map[string]string{"a/a.go": "package a\n"}, []string{"has no package comment; say in doc.go"}},
		{"one sentence", map[string]string{"a/a.go": "// Package a is e.g. this, i.e. v1.8 of it.\npackage a\n"}, []string{"fewer than two"}},
		{"a picture is no sentence", map[string]string{"a/a.go": "// Package a is this.\n//\n//\tin. out. done.\npackage a\n"}, []string{"fewer than two"}},
		{"two comments", map[string]string{
			"a/a.go": "// Package a takes this. It gives that.\npackage a\n",
			"a/b.go": "// Package a does more. It really does.\npackage a\n",
		}, []string{"in a/a.go as well"}},
		{"only tests", map[string]string{"a/a_test.go": "package a\n"}, nil},
	})
}

func TestFunctions(t *testing.T) {
	runRules(t, func(tree *policy.Tree) []string { return policy.Functions(tree, 5) }, []ruleTest{
		{"as long as allowed", map[string]string{"a/a.go": "package a\n" + lines("f", 5)}, nil},
		{"one line longer", map[string]string{"a/a.go": "package a\n" + lines("f", 6)}, []string{"a/a.go:2: f has 6 lines, 5 are allowed"}},
		{"tests too", map[string]string{"a/a_test.go": "package a\n" + lines("TestF", 6)}, []string{"TestF has 6 lines"}},
		{"a variable's function too", map[string]string{"a/a.go": "package a\nvar f = " + strings.Replace(lines("f", 6), "func f", "func", 1)}, []string{"without a name has 6"}},
		{"not generated ones", map[string]string{"a/a.go": "// Code generated by x. DO NOT EDIT.\n\npackage a\n" + lines("f", 6)}, nil},
	})
}

func TestFiles(t *testing.T) {
	runRules(t, func(tree *policy.Tree) []string { return policy.Files(tree, 3) }, []ruleTest{
		{"as long as allowed", map[string]string{"a/a.go": "package a\n\n//\n"}, nil},
		{"one line longer", map[string]string{"a/a.go": "package a\n\n//\n//\n"}, []string{"a/a.go: has 4 lines, 3 are allowed"}},
		{"not generated ones", map[string]string{"a/a.go": "// Code generated by x. DO NOT EDIT.\n\npackage a\n\n//\n"}, nil},
	})
}

func TestInits(t *testing.T) {
	runRules(t, policy.Inits, []ruleTest{
		{"a method may be called init", map[string]string{"a/a.go": "package a\ntype t int\nfunc (t) init() {}\n"}, nil},
		{"init", map[string]string{"a/a.go": "package a\nfunc init() {}\n"}, []string{"a/a.go:2: init runs behind"}},
	})
}

func TestNames(t *testing.T) {
	runRules(t, policy.Names, []ruleTest{
		{"what it does", map[string]string{
			"ingest/decode/a.go": "package decode\n", "store/storetest/a.go": "package storetest\n", "query/a_test.go": "package query_test\n",
		}, nil},
		{"nothing", map[string]string{"a/util/a.go": "package util\n"}, []string{`a/util: "util" does not say`}},
		{"a folder above", map[string]string{"pkg/a/a.go": "package a\n"}, []string{`pkg/a: "pkg" does not say`}},
		{"behind another folder name", map[string]string{"a/b/a.go": "package models\n"}, []string{`"models" does not say`}},
		{"repeats its parent", map[string]string{"ingest/ingestdecoder/a.go": "package ingestdecoder\n"}, []string{`repeats its parent "ingest"`}},
	})
}

func TestExits(t *testing.T) {
	exit := "package a\nimport \"os\"\nfunc f() { os.Exit(1) }\n"
	runRules(t, policy.Exits, []ruleTest{
		{"main and tests", map[string]string{"cmd/x/main.go": "package main\nimport \"os\"\nfunc main() { os.Exit(1) }\n", "a/a_test.go": exit}, nil},
		{"beside main", map[string]string{"cmd/x/main.go": "package main\nimport \"os\"\nfunc f() { os.Exit(1) }\n"}, []string{"os.Exit"}},
		{"main elsewhere", map[string]string{"a/a.go": "package a\nimport \"os\"\nfunc main() { os.Exit(1) }\n"}, []string{"os.Exit"}},
		{"elsewhere", map[string]string{"a/a.go": exit}, []string{"a/a.go:3: os.Exit ends the process"}},
		{"under another name", map[string]string{"a/a.go": "package a\nimport quit \"os\"\nvar f = quit.Exit\n"}, []string{"os.Exit"}},
		{"by a log", map[string]string{"a/a.go": "package a\nimport \"log\"\nfunc f() { log.Fatalf(\"\") }\n"}, []string{"log.Fatalf"}},
		{"another's Exit", map[string]string{"a/a.go": "package a\nimport \"x/os2\"\nfunc f() { os.Exit(1); os2.Exit() }\n"}, nil},
	})
}

func TestPanics(t *testing.T) {
	check := func(tree *policy.Tree) []string {
		return policy.Panics(tree, map[string]string{"a/a.go f": "an invariant", "a/a.go g": ""})
	}
	runRules(t, check, []ruleTest{
		{"listed, and in tests", map[string]string{"a/a.go": "package a\nfunc f() { panic(1) }\n", "a/a_test.go": "package a\nfunc g() { panic(1) }\n"}, nil},
		{"not listed", map[string]string{"a/a.go": "package a\nfunc h() { func() { panic(1) }() }\n"}, []string{`a/a.go:2: panic is for broken invariants; return an error, or list "a/a.go h"`}},
		{"listed without a reason", map[string]string{"a/a.go": "package a\nfunc g() { panic(1) }\n"}, []string{`list "a/a.go g"`}},
		{"in a variable", map[string]string{"a/a.go": "package a\nvar x = func() int { panic(1) }()\n"}, []string{`list "a/a.go"`}},
	})
}

func TestReplaced(t *testing.T) {
	if got := policy.Replaced([]byte("module x\n// replace nothing\nrequire a v1\n")); len(got) != 0 {
		t.Errorf("got %q", got)
	}
	for _, line := range []string{"replace a => b v1", "replace (", "\treplace\ta => ../a", "replace( a => b"} {
		if got := policy.Replaced([]byte("module x\n" + line + "\n")); len(got) != 1 || !strings.HasPrefix(got[0], "go.mod:2: ") {
			t.Errorf("%q: got %q", line, got)
		}
	}
}
