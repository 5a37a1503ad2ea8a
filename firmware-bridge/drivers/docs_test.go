package drivers_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/lamppost-city/lamppost/firmware-bridge/drivers"
	"github.com/lamppost-city/lamppost/firmware-bridge/drivers/modbus"
	"github.com/lamppost-city/lamppost/firmware-bridge/settings"
	"github.com/lamppost-city/lamppost/telemetry/mapping"
)

// What the pages for technicians show as settings are settings.
func TestSettingsInTheDocumentationAreValid(t *testing.T) {
	block := regexp.MustCompile("(?s)```yaml\n(version: 1\n.*?)```")
	for _, page := range []string{"../../docs/bridge.md", "../../docs/mapping.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		examples := block.FindAllStringSubmatch(string(text), -1)
		if len(examples) == 0 {
			t.Errorf("%s shows no settings", page)
		}
		for _, e := range examples {
			if _, err := settings.Parse([]byte(e[1]), drivers.All()); err != nil {
				t.Errorf("%s: %v in\n%s", page, err, e[1])
			}
		}
	}
}

func TestEveryReadyMappingIsInTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../docs/mapping.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range mapping.Ready() {
		if !strings.Contains(string(text), "| `"+name+"` |") {
			t.Errorf("docs/mapping.md does not have %s", name)
		}
	}
}

func TestEveryReadyMapOfModbusIsInTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../docs/bridge.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range modbus.Names() {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/bridge.md does not have %s", name)
		}
	}
}
