package main_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lamppost-city/lamppost/dashboards/datasource/plugin"
)

// rule is one of those for which reviewers of Grafana's catalogue turn plugins down.
type rule struct {
	name string
	// files says which files the rule is about.
	files *regexp.Regexp
	// never is what must not be in a line of them.
	never *regexp.Regexp
	// but are the lines that may.
	but *regexp.Regexp
	// example is a line that breaks the rule.
	example string
}

func rules() []rule {
	code := regexp.MustCompile(`\.go$`)
	page := regexp.MustCompile(`^src/.*\.tsx?$`)
	re := regexp.MustCompile
	return []rule{
		{"the environment is Grafana's", code, re(`os\.(Getenv|LookupEnv|Environ|Setenv|ExpandEnv)\b`), nil, `os.Getenv("TOKEN")`},
		{"the file system is Grafana's", code, re(`"(io/ioutil|path/filepath|io/fs|embed)"|os\.(Open|Create|Read|Write|Stat|Mkdir|Remove|Dir|Chdir|Getwd|UserHomeDir|TempDir)`), nil, `os.ReadFile("x")`},
		{"no other programs and no system calls", code, re(`"(syscall|os/exec|os/signal|unsafe|plugin|golang\.org/x/sys.*)"`), nil, `import "syscall"`},
		{"os is for the end of main only", code, re(`\bos\.[A-Z]\w*`), re(`^\s*os\.Exit\(1\)$`), `os.Hostname()`},
		{"logs go to Grafana's log", code, re(`fmt\.Print|\bprintln\(|"log"|os\.Std|slog\.(Default|Info|Warn|Error|Debug)\(`), nil, `fmt.Println("x")`},
		{"HTTP goes through the SDK's client", code, re(`http\.(DefaultClient|DefaultTransport|Get|Post|Head|PostForm)\b|http\.(Client|Transport)\{|net\.Dial`), nil, `http.Get("x")`},
		{"nothing panics", code, re(`\bpanic\(|log\.Fatal`), nil, `panic("x")`},
		{"a request's context is used", code, re(`context\.(Background|TODO)\(\)`), nil, `ctx := context.Background()`},
		{"the backend checks health", page, re(`testDatasource`), nil, `async testDatasource() {`},
		{"queries go through DataSourceWithBackend", page, re(`api/ds/query|getBackendSrv|fetch\(`), nil, `getBackendSrv().post('/api/ds/query')`},
		{"style is Grafana's", page, re(`\.s?css['"]|<style|injectGlobal|\bGlobal\b|dangerouslySetInnerHTML|innerHTML`), nil, `import './x.css'`},
		{"the page is Grafana's", page, re(`\b(document|window|localStorage|sessionStorage)\.|\b(eval|require)\(`), nil, `window.location.reload()`},
		{"the browser's console stays empty", page, re(`console\.\w+\(`), nil, `console.log('x')`},
		{"nothing is loaded from elsewhere", page, re(`https?://`), re(`http://localhost:8080`), `<img src="https://x/y.png">`},
		{"the README tells no installation", re(`^README\.md$`), re(`(?i)\binstall|grafana[- ]cli|npm |docker|unzip|plugins directory`), nil, `Install it with grafana-cli`},
	}
}

// broken lists the lines that break a rule. Comments of Go may speak of what is forbidden.
func (r rule) broken(text string) []string {
	var found []string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if words := strings.TrimSpace(line); strings.HasPrefix(words, "//") || strings.HasPrefix(words, "*") || strings.HasPrefix(words, "/*") {
			continue
		}
		if r.never.MatchString(line) && (r.but == nil || !r.but.MatchString(line)) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

func TestSourceKeepsTheRulesOfTheCatalogue(t *testing.T) {
	var files []string
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name := entry.Name(); name == "node_modules" || name == "dist" || name == "testdata" || name == "test" {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, "_test.go") {
			files = append(files, filepath.ToSlash(path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			if len(r.broken(r.example)) == 0 {
				t.Errorf("the rule lets %q pass", r.example)
			}
			looked := 0
			for _, file := range files {
				if !r.files.MatchString(file) {
					continue
				}
				looked++
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				for _, line := range r.broken(string(text)) {
					t.Errorf("%s: %s", file, line)
				}
			}
			if looked == 0 {
				t.Error("no file was looked at")
			}
		})
	}
}

// manifest is what of plugin.json is held here.
type manifest struct {
	ID         string `json:"id"`
	Executable string `json:"executable"`
	Backend    bool   `json:"backend"`
	Alerting   bool   `json:"alerting"`
	Streaming  bool   `json:"streaming"`
	Info       struct {
		Version string                        `json:"version"`
		Updated string                        `json:"updated"`
		Logos   struct{ Small, Large string } `json:"logos"`
	} `json:"info"`
	Dependencies struct {
		GrafanaDependency string `json:"grafanaDependency"`
	} `json:"dependencies"`
}

func TestManifestIsOfThisPlugin(t *testing.T) {
	var m manifest
	read(t, "src/plugin.json", &m)
	if m.ID != plugin.ID || m.Executable != "gpx_lamppost_city" || !m.Backend || !m.Alerting || !m.Streaming {
		t.Errorf("plugin.json says %+v", m)
	}
	if m.Info.Version != "%VERSION%" || m.Info.Updated != "%TODAY%" {
		t.Errorf("version %q and date %q are not left to the build", m.Info.Version, m.Info.Updated)
	}
	for _, logo := range []string{m.Info.Logos.Small, m.Info.Logos.Large} {
		if _, err := os.Stat(filepath.Join("src", logo)); err != nil {
			t.Error(err)
		}
	}
	if !strings.HasPrefix(m.Dependencies.GrafanaDependency, ">=12.") {
		t.Errorf("needs Grafana %s", m.Dependencies.GrafanaDependency)
	}
}

func TestChangelogSpeaksOfThisVersion(t *testing.T) {
	var p struct{ Version string }
	read(t, "package.json", &p)
	text, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "## "+p.Version+"\n") {
		t.Errorf("CHANGELOG.md has no section for %s", p.Version)
	}
}

// A lock file with addresses would be of whoever made it.
func TestLockFileNamesNoRegistry(t *testing.T) {
	text, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), `"resolved"`) {
		t.Error("package-lock.json has addresses; make it anew with the .npmrc that is here")
	}
	if !strings.Contains(string(text), `"integrity"`) {
		t.Error("package-lock.json has no checksums")
	}
}

// Exact versions: the same packages today and tomorrow.
func TestPackagesArePinned(t *testing.T) {
	var p struct{ Dependencies, DevDependencies, Overrides map[string]string }
	read(t, "package.json", &p)
	exact := regexp.MustCompile(`^\d+\.\d+\.\d+(-[a-z]+\.\d+)?$`)
	for _, list := range []map[string]string{p.Dependencies, p.DevDependencies, p.Overrides} {
		for name, version := range list {
			if !exact.MatchString(version) {
				t.Errorf("%s: %s is no exact version", name, version)
			}
		}
	}
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
