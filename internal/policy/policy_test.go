package policy_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lamppost-city/lamppost/internal/policy"
)

// table says which folder may import which; docs/decisions/folders.md says why.
func table() []policy.Row {
	return []policy.Row{
		{Folder: "telemetry", May: nil, Why: "the words come before every hop"},
		{Folder: "spool", May: nil, Why: "the queue knows bytes, and nothing of what they mean"},
		{Folder: "firmware-bridge", May: []string{"telemetry/...", "spool/..."}, Why: "it runs alone at the edge"},
		{Folder: "broker", May: []string{"telemetry/..."}, Why: "any other broker can stand in its place"},
		// Of store only the data types and errors: which client writes is cmd's choice.
		{Folder: "ingest", May: []string{"telemetry/...", "spool/...", "store"}, Why: "it works with any broker and any store"},
		{Folder: "registry", May: []string{"telemetry/..."}, Why: "everybody asks it, so it asks nobody"},
		{Folder: "store", May: []string{"telemetry/..."}, Why: "it keeps readings, whoever writes them"},
		{Folder: "query", May: []string{"telemetry/...", "store/..."}, Why: "questions go to the store alone"},
		{Folder: "alarm", May: []string{"telemetry/...", "registry/..."}, Why: "rules see readings and sensors, not how they came"},
		// Of ingest only what is shown: the ledger's, the live readings' and the audit's types.
		{
			Folder: "api", May: []string{"telemetry/...", "query/...", "registry/...", "alarm/...", "ingest/ledger", "ingest/live", "ingest/audit"},
			Why: "it shows what others know",
		},
		{Folder: "console", May: nil, Why: "the page knows the API over HTTP only"},
		// Over HTTP it speaks to api as well, without importing it.
		{Folder: "dashboards", May: []string{"telemetry/..."}, Why: "the plugin is a program of its own, beside Grafana"},
		// It publishes as a bridge does, with the same hand.
		{Folder: "simulate", May: []string{"telemetry/...", "firmware-bridge/uplink/..."}, Why: "a synthetic city comes in as a real one does: over MQTT and HTTP"},
		{Folder: "service", May: nil, Why: "the process shell knows parts, not what they do"},
		{Folder: "config", May: nil, Why: "it loads any package's Config and knows none"},
		// All wiring, and only wiring.
		{Folder: "cmd", May: []string{"..."}, Why: ""},
	}
}

// owners are the modules that one hop stands for.
func owners() []policy.Owner {
	return []policy.Owner{
		{Packages: "github.com/spf13/viper", Folders: []string{"config"}, Why: "configuration is loaded in one place"},
		{Packages: "github.com/spf13/cobra", Folders: []string{"cmd"}, Why: "commands are wiring"},
		{Packages: "github.com/influxdata/influxdb", Folders: []string{"store"}, Why: "others know store's types"},
		{Packages: "github.com/influxdata/influxdb-client-go", Folders: []string{"store"}, Why: "others know store's types"},
		{Packages: "github.com/nats-io/nats-server", Folders: []string{"broker"}, Why: "others speak MQTT to it"},
		{
			Packages: "github.com/eclipse/paho.mqtt.golang/packets", Folders: []string{"broker", "ingest", "simulate", "firmware-bridge"},
			Why: "the format of packets is MQTT's, not the client's",
		},
		{
			Packages: "github.com/eclipse/paho.mqtt.golang", Folders: []string{"ingest", "simulate", "firmware-bridge"},
			Why: "they are the publishers and the subscriber",
		},
	}
}

// panics are the functions that may panic, and why.
func panics() map[string]string {
	return map[string]string{
		"api/middleware.go rescue":       "http.ErrAbortHandler is how net/http is told to drop a connection",
		"api/problem.go writeProblem":    "a problem document is strings and numbers: it can be encoded",
		"console/embed.go Handler":       "the folder is embedded by a directive beside it",
		"ingest/mqtt/metrics.go counter": "two metrics of one name are a mistake in the source",
	}
}

// sources reads all Go files that are part of the repository or about to be.
func sources(t *testing.T) *policy.Tree {
	t.Helper()
	root := repository(t)
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.go")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatalf("list the repository's files: %v; run the tests in a git checkout", err)
	}
	var paths []string
	for _, p := range strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if _, err := os.Stat(filepath.Join(root, p)); err == nil { // a deleted file is listed until the next commit
			paths = append(paths, p)
		}
	}
	tree, err := policy.Read(os.DirFS(root), paths)
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Files) < 20 {
		t.Fatalf("only %d Go files were found", len(tree.Files))
	}
	return tree
}

func repository(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestRepository(t *testing.T) {
	tree := sources(t)
	mod, err := os.ReadFile(filepath.Join(repository(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for rule, faults := range map[string][]string{
		"packages import along the table":                  policy.Imports(tree, table()),
		"modules of others are imported where they belong": policy.Owners(tree, owners()),
		"every package says what it is for":                policy.Comments(tree),
		"functions are short":                              policy.Functions(tree, 80),
		"files are short":                                  policy.Files(tree, 500),
		"nothing runs in init":                             policy.Inits(tree),
		"packages are named by what they do":               policy.Names(tree),
		"only main ends the process":                       policy.Exits(tree),
		"panic is for listed invariants":                   policy.Panics(tree, panics()),
		"no module is replaced":                            policy.Replaced(mod),
		"the bridge links nothing heavy":                   bridgeLinks(t),
	} {
		t.Run(rule, func(t *testing.T) {
			for _, fault := range faults {
				t.Error(fault)
			}
		})
	}
}

func bridgeLinks(t *testing.T) []string {
	t.Helper()
	const program = "./cmd/lamppost-bridge"
	if _, err := os.Stat(filepath.Join(repository(t), program)); os.IsNotExist(err) {
		return nil
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", program)
	list.Dir = repository(t)
	var complaint bytes.Buffer
	list.Stderr = &complaint
	out, err := list.Output()
	if err != nil {
		t.Fatalf("list what %s links: %v: %s", program, err, complaint.String())
	}
	return policy.Links(program, strings.Fields(string(out)), []string{
		"github.com/influxdata/influxdb", "github.com/influxdata/influxdb-client-go", "github.com/nats-io/nats-server",
		"github.com/grafana/grafana-plugin-sdk-go",
		"github.com/prometheus", "google.golang.org/protobuf", // a sixth of what the program may weigh; docs/decisions/bridge-size.md
	})
}
