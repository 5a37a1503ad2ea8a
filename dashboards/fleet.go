package dashboards

import (
	"slices"

	"github.com/lamppost-city/lamppost/dashboards/datasource/question"
)

// Fleet is how the sensors themselves are: who is silent, incomplete, late or wrong.
//
//	stats
//	sites by state │ silent │ most missing
//	batteries │ reception │ bridges and their firmware
//	completeness │ what came late or wrong │ events
func Fleet() Dashboard {
	p := page{
		uid: fleetUID, title: "Fleet", back: "24h", variables: []Variable{districts()},
		about: "Which sensors are silent, incomplete, late or have a wrong clock, and where they stand: the day's round for technicians.",
	}
	return p.with(slices.Concat(fleetStats(), fleetPlaces(), fleetDevices(), fleetCourse())...)
}

func fleetStats() []Panel {
	states, sums := registered(question.States), ledger(question.Totals)
	clocks := question.Query{Kind: question.Events, Events: []string{"clock"}, Districts: []string{district}}
	return []Panel{
		stat(text{"Sensors", "How many are registered, with a site or without; where districts are chosen, those with a site there."}, "lastNotNull", "Sensors", states).unit("short").at(0, 0, 3, 4),
		stat(text{"Silent", "No reading for more than twice their cadence and 10 seconds."}, "lastNotNull", "Silent", states).unit("short").banded(noneBands).at(3, 0, 3, 4),
		stat(text{"Never seen", "Registered, and never reported: not installed, or installed wrongly."}, "lastNotNull", "Never seen", states).unit("short").banded(noneBands).at(6, 0, 3, 4),
		stat(text{"Complete", "Part of the reports expected in this time that came."}, "lastNotNull", "Completeness", sums).
			unit("percentunit").decimals(2).banded(completenessBands).at(9, 0, 3, 4),
		stat(text{"Late", "Readings that came later than the server's configuration calls late; they are kept."}, "lastNotNull", "Late", sums).unit("short").at(12, 0, 3, 4),
		stat(text{"Rejected", "Readings that were refused. The pipeline dashboard says why."}, "lastNotNull", "Rejected", sums).unit("short").each(to("Pipeline", pipelineUID)).at(15, 0, 3, 4),
		stat(text{"Clocks", "Clock faults in this time: sensors whose readings were of an impossible time."}, "count", "/^Sensor$/", clocks).unit("short").banded(noneBands).at(18, 0, 3, 4),
		stat(text{"Low charge", "Batteries with less than 20 % left, by their newest reading."}, "count", "Battery level", readings("battery_level")).
			unit("short").transformed(below("Battery level", 0.2)).override(Matcher{"byName", "Battery level"}, Property{"unit", "short"}).banded(noneBands).at(21, 0, 3, 4),
	}
}

func fleetPlaces() []Panel {
	silent := registered(question.List)
	silent.States, silent.Limit = []string{"silent", "never"}, 1000
	missing := ledger(question.Each)
	missing.Sort, missing.Limit = "missing", 100
	return []Panel{
		geomap(text{"Sites by state", "Every site: ok, silent where all of its sensors are, part where some are."}, "state", 4, registered(question.Sites)).at(0, 4, 8, 8),
		table(text{"Silent or never seen, if any", "The longest silent first; empty where none is. Click one for its history."}, []string{"Sensor", "Title", "State", "Last seen"}, silent).
			transformed(sorted("Last seen", false)).colouredState("State").override(Matcher{"byName", "Last seen"}, Property{"unit", "dateTimeFromNow"}).
			opening().width("Sensor", 110).width("State", 80).width("Last seen", 130).at(8, 4, 8, 8),
		table(text{"Most missing, if any", "Sensors of which most reports are missing in this time; empty where none is. Click one for its history."},
			[]string{"Sensor", "Missing", "Rejected", "Completeness"}, missing).transformedFirst(positive("Missing")).gaugedIn("Completeness", completenessBands).
			opening().width("Sensor", 110).width("Missing", 80).width("Rejected", 80).at(16, 4, 8, 8),
	}
}

func fleetDevices() []Panel {
	bridges := question.Query{Kind: question.Sensors, View: question.Bridges, Limit: 1000}
	return []Panel{
		table(text{"Battery charge", "How much is left of each battery by its newest reading, the emptiest first. Below 20 % plan a visit."},
			[]string{"Sensor", "Place", "Battery level"}, readings("battery_level")).transformed(sorted("Battery level", false)).
			gaugedIn("Battery level", chargeBands).percent("Battery level").override(Matcher{"byName", "Battery level"}, Property{"displayName", "Left"}, Property{"custom.width", 120}).
			width("Sensor", 105).opening().at(0, 12, 6, 7),
		table(text{"Weakest reception", "How strong each device is received by its newest reading, the weakest first. Near -120 dBm messages get lost: another place, antenna or gateway helps."},
			[]string{"Sensor", "Place", "Received signal strength"}, readings("signal_strength")).transformed(sorted("Received signal strength", false)).
			override(Matcher{"byName", "Received signal strength"}, Property{"thresholds", thresholds(signalBands)}, Property{"color", Color{Mode: "thresholds"}},
				Property{"custom.cellOptions", TypeOnly{Type: "color-text"}}, Property{"displayName", "Signal"}, Property{"custom.width", 95}).
			width("Sensor", 105).opening().at(6, 12, 6, 7),
		table(text{"Edge bridges and their firmware", "Each bridge (lamppost-bridge) as it described itself last: its version, how long it runs, how many of its sensors it cannot read, and what waits for the link. All bridges, whatever districts are chosen. Empty where sensors publish without a bridge."},
			[]string{"Bridge", "Title", "State", "Firmware", "Uptime", "Failing", "Waiting"}, bridges).colouredState("State").
			override(Matcher{"byName", "Failing"}, Property{"thresholds", thresholds(noneBands)}, Property{"color", Color{Mode: "thresholds"}}, Property{"custom.cellOptions", TypeOnly{Type: "color-text"}}, Property{"custom.width", 65}).
			width("Bridge", 100).width("State", 70).width("Uptime", 90).width("Waiting", 70).at(12, 12, 12, 7),
	}
}

func fleetCourse() []Panel {
	events := question.Query{Kind: question.Events, Districts: []string{district}, Limit: 200}
	return []Panel{
		timeSeries(text{"Completeness over time", "Part of the reports expected that came, by step."}, ledger(question.Steps)).
			unit("percentunit").points(100).transformed(only("time", "Completeness")...).colored(green).
			override(Matcher{"byName", "Completeness"}, Property{"min", nil}, Property{"custom.axisSoftMin", 0.9}).at(0, 19, 8, 7),
		timeSeries(text{"What did not simply come", "Late, stamped, duplicate and rejected readings, by step; late and stamped ones are accepted all the same. Stamped ones had no time of their own. The orange line is reports that are missing, on the scale at the right."}, stepped()).
			unit("short").points(100).transformed(only("time", "Late", "Stamped", "Duplicate", "Rejected", "Missing")...).
			naming("Late", ink).naming("Stamped", skyBlue).naming("Duplicate", purple).naming("Rejected", vermillion).missingReports().legendRight().at(8, 19, 8, 7),
		table(text{"Silences and clock faults, if any", "What happened in this time, the newest first; empty where there was none."}, []string{"From", "Sensor", "Text"}, events).
			transformed(sorted("From", true)).opening().width("From", 105).override(Matcher{"byName", "From"}, Property{"unit", "time:MM-DD HH:mm"}).width("Sensor", 105).
			override(Matcher{"byName", "Text"}, Property{"custom.cellOptions", TypeOnly{Type: "auto", WrapText: true}}).at(16, 19, 8, 7),
	}
}
