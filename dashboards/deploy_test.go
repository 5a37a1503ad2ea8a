package dashboards_test

import (
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/lamppost-city/lamppost/dashboards"
	"github.com/lamppost-city/lamppost/dashboards/datasource/plugin"
)

func provisioning(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile("../deploy/grafana/" + path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func TestTheProvisionedDataSourceIsTheOneThatDashboardsAsk(t *testing.T) {
	var file struct {
		Datasources []struct {
			Type, UID, Access string
			Secrets           map[string]string `yaml:"secureJsonData"`
		}
	}
	provisioning(t, "provisioning/datasources/lamppost.yaml", &file)
	if len(file.Datasources) != 1 {
		t.Fatalf("%d data sources are provisioned, want 1", len(file.Datasources))
	}
	source := file.Datasources[0]
	for _, d := range dashboards.All() {
		if asked := d.Panels[0].Datasource; asked.UID != source.UID || asked.Type != source.Type || source.Type != plugin.ID {
			t.Errorf("%s asks %+v; provisioned is %s of type %s, and the plugin is %s", d.UID, asked, source.UID, source.Type, plugin.ID)
		}
	}
	if token := source.Secrets[plugin.TokenKey]; source.Access != "proxy" || !strings.HasPrefix(token, "$__file{") {
		t.Errorf("access is %q and the token %q; want proxy, and a token out of a file", source.Access, token)
	}
}

func TestGrafanaMayLoadThePlugin(t *testing.T) {
	text, err := os.ReadFile("../deploy/grafana/grafana-server.service.d/lamppost.conf")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "\nEnvironment=GF_PLUGINS_ALLOW_LOADING_UNSIGNED_PLUGINS="+plugin.ID+"\n") {
		t.Errorf("%s does not let Grafana load %s", text, plugin.ID)
	}
}
