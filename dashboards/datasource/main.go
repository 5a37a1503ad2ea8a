// Command gpx_lamppost_city is the backend of Lamppost's data source for Grafana, which starts it and speaks gRPC with it.
// Settings and queries come in from Grafana, questions go out to Lamppost over HTTP; package plugin does all of it.
package main

import (
	"os"
	_ "time/tzdata" // comparing with the day before needs the city's time zone, which Windows does not have

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/datasource"

	"github.com/lamppost-city/lamppost/dashboards/datasource/plugin"
)

func main() {
	if err := datasource.Manage(plugin.ID, plugin.New, datasource.ManageOpts{}); err != nil {
		backend.Logger.Error("the data source ended", "error", err)
		os.Exit(1)
	}
}
