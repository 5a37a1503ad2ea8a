package plugin_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// offered are the values of a list with their groups.
func offered(t *testing.T, to backend.PluginContext, at string) (all []string) {
	t.Helper()
	status, choices, body := call(t, to, at)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", at, status, body)
	}
	for _, c := range choices.Items {
		all = append(all, strings.TrimPrefix(c.Group+": "+c.Value, ": "))
	}
	return all
}

func TestEditorOffersFirstWhatIsMeasuredThere(t *testing.T) {
	for at, want := range map[string][]string{
		// The town has a station of air and a parking spot.
		"quantities?all=true&domain=traffic": {"parking_status", "Not measured here: intensity", "Not measured here: occupancy", "Not measured here: speed"},
		"quantities?all=true&sensor=air-1": {
			"no2", "Not measured here: active_power", "Not measured here: intensity", "Not measured here: occupancy", "Not measured here: parking_status", "Not measured here: speed",
		},
		"quantities?all=true&q=speed": {"Not measured here: speed"},
	} {
		if diff := cmp.Diff(want, offered(t, settings(t, newTown(t, "").URL, ""), at)); diff != "" {
			t.Errorf("%s\n%s", at, diff)
		}
	}
}

// What is said not to be measured must not be: the first 10,000 sensors are not all of a large city.
func TestLargeCityIsAskedForEachQuantityThatWasNotSeen(t *testing.T) {
	api := newTown(t, "")
	api.handle("sensors", func(w http.ResponseWriter, r *http.Request) {
		params := r.URL.Query()
		switch {
		case params.Get("quantity") == "speed":
			writeJSON(w, map[string]any{"items": []any{}, "total": 12})
		case params.Has("quantity"):
			writeJSON(w, map[string]any{"items": []any{}, "total": 0})
		default:
			writeJSON(w, map[string]any{"items": []any{map[string]any{"id": "cam-1", "quantities": []string{"intensity"}}}, "total": 90_000})
		}
	})
	want := []string{"intensity", "speed", "Not measured here: occupancy", "Not measured here: parking_status"}
	to := settings(t, api.URL, "")
	if diff := cmp.Diff(want, offered(t, to, "quantities?all=true&domain=traffic&district=harbour")); diff != "" {
		t.Error(diff)
	}
	calls := len(api.asked("sensors"))
	if offered(t, to, "quantities?all=true&domain=energy&district=harbour"); len(api.asked("sensors")) != calls {
		t.Error("the server is asked again at every key")
	}
}

// Nothing is said not to be measured where it was not looked for.
func TestManyChosenSensorsMakeNoClaim(t *testing.T) {
	api := newTown(t, "")
	at := "quantities?all=true&domain=traffic"
	for i := range 60 {
		at += fmt.Sprintf("&sensor=cam-%d", i)
	}
	if diff := cmp.Diff([]string{"intensity", "occupancy", "parking_status", "speed"}, offered(t, settings(t, api.URL, ""), at)); diff != "" {
		t.Error(diff)
	}
	if calls := api.asked("sensors"); len(calls) > 0 {
		t.Errorf("%d sensors were asked for", len(calls))
	}
}

func TestTitlesOfChosenNamesAreLookedUp(t *testing.T) {
	api := newTown(t, "")
	api.handle("sensors/gone-1", func(w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusNotFound, `no sensor "gone-1" is registered`)
	})
	for at, want := range map[string]string{
		"sensors?id=air-1&id=gone-1": "air-1 Air at the quay",
		"sites?id=quay-1":            "quay-1 North quay",
		"districts?id=old-town":      "old-town Old town",
		"quantities?id=speed":        "speed Mean speed",
	} {
		status, choices, body := call(t, settings(t, api.URL, ""), at)
		if status != http.StatusOK || len(choices.Items) != 1 || choices.Items[0].Value+" "+choices.Items[0].Label != want {
			t.Errorf("%s: %d %s", at, status, body)
		}
	}
	if calls := api.asked("sensors?"); len(calls) > 0 {
		t.Errorf("a search was made: %v", calls)
	}
}

func TestSensorsAreDescribedByWhatTheirTitlesDoNotSay(t *testing.T) {
	api := newTown(t, "")
	api.answer("sensors", `{"items":[
		{"id":"cabinet-3","title":"Bramble Walk 215, street light cabinet","site_title":"Bramble Walk 215"},
		{"id":"air-1","title":"Air at the quay","site_title":"South quay"},
		{"id":"cam-1","title":"","site_title":"North quay"},
		{"id":"cam-2","title":"cam-2"}],"total":4}`)
	_, choices, _ := call(t, settings(t, api.URL, ""), "sensors")
	var got []string
	for _, c := range choices.Items {
		got = append(got, c.Label+" | "+c.Description)
	}
	want := []string{"Bramble Walk 215, street light cabinet | cabinet-3", "Air at the quay | air-1, South quay", "cam-1 | North quay", "cam-2 | "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
