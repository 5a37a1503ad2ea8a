package dashboards

import "github.com/lamppost-city/lamppost/dashboards/datasource/question"

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

const choose = "No such sensor; choose one at the top"

func sensorStats() []Panel {
	itself, counted := ofSensor(registered(question.List)), ofSensor(ledger(question.Totals))
	return []Panel{
		stat(text{"State", "ok, silent (no reading for more than twice its cadence and 10 seconds), or never seen.", choose}, "lastNotNull", "State", itself).at(0, 0, 4, 4),
		stat(text{"Last seen", "When it reported last.", "It has never reported, or there is no such sensor"}, "lastNotNull", "Last seen", itself).unit("dateTimeFromNow").at(4, 0, 4, 4),
		stat(text{"Completeness", "Part of the readings expected in this time that came; unknown for a sensor without a cadence.", "It has no cadence, or there is no such sensor"}, "lastNotNull", "Completeness", counted).
			unit("percentunit").decimals(1).banded(completenessBands).at(8, 0, 4, 4),
		stat(text{"Missing", "Readings of this time that should have come and did not.", choose}, "lastNotNull", "Missing", counted).unit("short").banded(noneBands).at(12, 0, 4, 4),
		stat(text{"Late", "Readings that came later than the server's configuration calls late; they are kept.", choose}, "lastNotNull", "Late", counted).unit("short").at(16, 0, 4, 4),
		stat(text{"Rejected", "Readings that were refused: out of range, unreadable, or of an impossible time. They are in quarantine.", choose}, "lastNotNull", "Rejected", counted).
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
			"Readings", "All chosen quantities, each with its own unit. Shaded: when it was silent or its clock was wrong.", "It reported nothing in this time, or there is no such sensor",
		}, measured).unit("").at(0, 4, 16, 10),
		geomap(text{"Where it stands", "The sensor's site, in the colour of its state.", "It has no place, or there is no such sensor"}, "state", 10, ofSensor(registered(question.List))).at(16, 4, 8, 10),
		table(text{"Newest readings", "The newest value of each quantity and channel.", "It has not reported yet, or there is no such sensor"},
			[]string{"Measured quantity", "Channel", "Value", "Unit", "In words", "Measured"}, now).
			override(Matcher{"byName", "Measured"}, Property{"unit", "dateTimeFromNow"}).at(0, 14, 8, 10),
		bars(text{"What came of its readings", "Accepted, late, duplicate, rejected and missing readings by step.", "It was not expected to report in this time, or there is no such sensor"},
			ofSensor(ledger(question.Steps))).unit("short").points(100).outcomes().at(8, 14, 8, 10),
		timeSeries(text{"As they come", "The readings of the last 15 minutes as they are, going on as they come, whatever time range is chosen.", "It reported nothing in the last 15 minutes, or there is no such sensor"},
			coming).unit("").since("15m").at(16, 14, 8, 10),
	}
}

// outcomes shows of the ledger's counters what became of readings, in their colours, and hides the others.
func (p Panel) outcomes() Panel {
	return p.transformed(only("time", "Accepted", "Late", "Duplicate", "Rejected", "Missing")...).stacked().
		naming("Accepted", skyBlue).naming("Late", yellow).naming("Duplicate", purple).naming("Rejected", vermillion).naming("Missing", orange)
}
