package dashboards

import (
	"regexp"
	"strings"

	"github.com/lamppost-city/lamppost/dashboards/datasource/question"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Sensor is everything about one sensor.
//
//	how it is
//	its readings │ where it stands
//	newest readings │ what came of it │ as they come
func Sensor() Dashboard {
	p := page{
		uid: sensorUID, title: "Sensor", back: "24h", variables: []Variable{districts(), sites(), sensors(), quantities()}, events: true,
		about: "Everything about one sensor: what it measures, where it stands, and what came of its readings.",
	}
	return p.with(append(sensorStats(), sensorReadings()...)...)
}

func sensorStats() []Panel {
	itself, counted := ofSensor(registered(question.List)), ofSensor(ledger(question.Totals))
	return []Panel{
		stat(text{"State", "ok, silent (no reading for more than twice its cadence and 10 seconds), or never seen."}, "lastNotNull", "State", itself).lit().at(0, 0, 4, 4),
		stat(text{"Last seen", "When it reported last."}, "lastNotNull", "Last seen", itself).unit("dateTimeFromNow").at(4, 0, 4, 4),
		stat(text{"Completeness", "Part of the reports expected in this time that came; unknown for a sensor without a cadence."}, "lastNotNull", "Completeness", counted).
			unit("percentunit").decimals(2).banded(completenessBands).at(8, 0, 4, 4),
		stat(text{"Missing", "Reports of this time that should have come and did not; a report is all readings of the same time."}, "lastNotNull", "Missing", counted).unit("short").banded(noneBands).at(12, 0, 4, 4),
		stat(text{"Late", "Readings that came later than the server's configuration calls late; they are kept."}, "lastNotNull", "Late", counted).unit("short").at(16, 0, 4, 4),
		stat(text{"Rejected", "Readings that were refused: out of range, unreadable, or of an impossible time. They are in quarantine."}, "lastNotNull", "Rejected", counted).
			unit("short").banded(noneBands).at(20, 0, 4, 4),
	}
}

func sensorReadings() []Panel {
	measured := ofSensor(history("", quantity))
	coming := ofSensor(history("", quantity))
	coming.Step, coming.Live = question.Raw, true
	now := ofSensor(readings(quantity))
	return []Panel{
		timeSeries(text{
			"Readings", "All chosen quantities, each with its own unit. Shaded: when it was silent or its clock was wrong.",
		}, measured).byQuantity().legendRight().at(0, 4, 16, 10),
		geomap(text{"Where it stands", "The sensor's site, in the colour of its state."}, "state", 10, ofSensor(registered(question.List))).at(16, 4, 8, 10),
		table(text{"Newest readings", "The newest value of each quantity and channel."},
			[]string{"Measured quantity", "Channel", "Value", "Unit", "In words", "Measured"}, now).
			override(Matcher{"byName", "Measured"}, Property{"unit", "dateTimeFromNow"}).override(Matcher{"byName", "Measured quantity"}, Property{"displayName", "Quantity"}).width("Channel", 75).width("Value", 70).width("Unit", 60).width("In words", 80).width("Measured", 140).at(0, 14, 11, 11),
		bars(text{"What came of its readings", "Accepted, duplicate and rejected readings by step, upon one another; the white or black line is those of the accepted that came late, the orange one reports that are missing, of which each may hold several readings, on the scale at the right."},
			ofSensor(stepped())).unit("short").points(100).outcomes().at(11, 14, 7, 11),
		timeSeries(text{"As they come, 15 minutes", "The readings of the last 15 minutes as they are, going on as they come, whatever time range is chosen; in the colours of the panel above."},
			coming).byQuantity().since("15m").unnamed().at(18, 14, 6, 11),
	}
}

// outcomes shows of the ledger's counters what became of readings, in their colours, and hides the others. Late ones are
// among the accepted, and drawn as a line. What is missing is counted in reports, not in readings, and so has a scale of its own.
func (p Panel) outcomes() Panel {
	return p.transformed(only("time", "Accepted", "Late", "Duplicate", "Rejected", "Missing")...).stacked().
		naming("Late", ink, Property{"custom.drawStyle", "line"}, Property{"custom.stacking", ModeOnly{"none"}}, Property{"custom.fillOpacity", 0}, Property{"custom.lineWidth", 2}).
		naming("Accepted", skyBlue).naming("Duplicate", purple).naming("Rejected", vermillion).missingReports()
}

// missingReports draws the counter Missing as a line on a scale of its own, at the right: of reports, not of readings.
func (p Panel) missingReports() Panel {
	return p.naming("Missing", orange, Property{"custom.drawStyle", "line"}, Property{"custom.fillOpacity", 0}, Property{"custom.lineWidth", 2},
		Property{"custom.stacking", ModeOnly{"none"}}, Property{"custom.axisPlacement", "right"}, Property{"custom.axisLabel", "missing reports"}, Property{"min", 0}, Property{"custom.axisSoftMax", 5}, Property{"decimals", 0})
}

// together are quantities that one device often has: each has a colour of its own there.
func together() [][]string {
	return [][]string{
		{"speed", "intensity", "occupancy", "heavy_vehicles"},
		{"active_power", "voltage", "current", "power_factor", "energy_import", "frequency"},
		{"no2", "o3", "pm10", "pm25", "temperature", "relative_humidity"},
		{"temperature", "relative_humidity", "pressure", "wind_speed", "wind_direction", "rain_rate"},
		{"laeq", "lamax", "la90", "la10"},
		{"illuminance_level", "power_state", "lamp_status", "active_power"},
		{"water_level", "water_temperature", "water_flow"},
		{"people_present", "people_count", "crowd_speed"},
		{"total_spots", "occupied_spots", "available_spots"},
		{"active_power", "irradiance", "energy_export"},
		{"battery_level", "battery_voltage", "signal_strength", "signal_to_noise", "device_temperature", "uptime"},
	}
}

// colours gives each quantity of the catalogue the place of its colour, of so many.
func colours(of int) map[string]int {
	places := make(map[string]int)
	for _, names := range together() {
		taken := make(map[int]bool)
		for _, name := range names {
			if place, ok := places[name]; ok {
				taken[place] = true
			}
		}
		next := 0
		for _, name := range names {
			if _, ok := places[name]; ok {
				continue
			}
			for taken[next] {
				next++
			}
			places[name], taken[next] = next%of, true
		}
	}
	for i, q := range telemetry.Quantities() {
		if _, ok := places[q.Name]; !ok {
			places[q.Name] = i % of
		}
	}
	return places
}

// byQuantity gives each quantity a colour, so that those of one sensor differ, as far as there are colours.
func (p Panel) byQuantity() Panel {
	colors := []string{orange, skyBlue, green, purple, yellow, vermillion, blue}
	titles := make([][]string, len(colors))
	places := colours(len(colors))
	for _, q := range telemetry.Quantities() {
		titles[places[q.Name]] = append(titles[places[q.Name]], regexp.QuoteMeta(q.Title))
	}
	for i, color := range colors {
		p = p.naming("/^("+strings.Join(titles[i], "|")+")(,|$)/", color)
	}
	fill := 0
	p.FieldConfig.Defaults.Custom.FillOpacity = &fill
	return p
}
