package dashboards

import "github.com/lamppost-city/lamppost/dashboards/datasource/question"

// Overview is the city at a glance: what it does, where, and what needs a person.
//
//	stats of the three domains and of the fleet
//	map by state  │ traffic │ energy
//	              │ air     │ noise
//	silent        │ incomplete │ reports a fault
func Overview() Dashboard {
	p := page{
		uid: overviewUID, title: "City overview", back: "24h", variables: []Variable{districts()},
		about: "The city at a glance: traffic, energy and safety, where sensors stand and how they are, and what needs attention.",
	}
	return p.with(append(append(overviewStats(), overviewCharts()...), overviewAttention()...)...)
}

func overviewStats() []Panel {
	return []Panel{
		stat(text{
			"Silent", "Sensors that have not reported for more than twice their cadence and 10 seconds. The fleet dashboard names them.",
		}, "lastNotNull", "Silent", registered(question.States)).unit("short").banded(noneBands).each(to("Fleet", fleetUID)).at(0, 0, 3, 4),
		stat(text{
			"Complete", "Part of the reports expected in this time that came. Below 85 % the data are too few for legal reporting of air quality.",
		}, "lastNotNull", "Completeness", ledger(question.Totals)).unit("percentunit").decimals(2).banded(completenessBands).each(to("Fleet", fleetUID)).at(3, 0, 3, 4),
		total(text{
			"Vehicles", "Vehicles that all lane detectors counted in the last hour, whatever time range is chosen. One that passes several detectors counts at each.",
		}, "", history("city", "intensity")).unit("short").since("1h").each(toNow("Traffic", trafficUID)).at(6, 0, 3, 4),
		stat(text{
			"Speed", "Mean of all lanes whose detectors report now.",
		}, "mean", "Mean speed", current("speed")).unit("velocitykmh").decimals(0).each(to("Traffic", trafficUID)).at(9, 0, 3, 4),
		total(text{
			"Load", "Sum of the active power of all meters that report now, solar roofs deducted.",
		}, "Active power", current("active_power")).unit("watt").decimals(0).each(to("Energy", energyUID)).at(12, 0, 3, 4),
		stat(text{
			"NO₂", "Highest reading of nitrogen dioxide of the stations that report now, coloured by the European Air Quality Index. " + lawNO2,
		}, "max", "Nitrogen dioxide", current("no2")).unit("conμgm3").decimals(0).banded(indexNO2).each(to("Safety", safetyUID)).at(15, 0, 3, 4),
		stat(text{
			"Noise", "Highest equivalent noise level of the meters that report now.",
		}, "max", "Equivalent noise level", current("laeq")).unit("suffix:dB(A)").decimals(0).banded(noiseBands).each(to("Safety", safetyUID)).at(18, 0, 3, 4),
		stat(text{
			"River", "Highest water level above a gauge's zero, of the gauges that report now. The bands are those of the demonstration city: set your gauges' own alert levels.",
		}, "max", "Water level", current("water_level")).unit("lengthm").decimals(2).banded(riverBands).each(to("Safety", safetyUID)).at(21, 0, 3, 4),
	}
}

func overviewCharts() []Panel {
	return []Panel{
		geomap(text{
			"Sensors by state", "Every registered sensor: ok, silent, or never seen. Point at one for what it is; click it to open it.",
		}, "state", 5, registered(question.List)).each(toSensor(ofRow)).at(0, 4, 10, 16),
		bandTimeline(text{
			"Traffic: speed by district", "Mean speed of the lane detectors of each district, by quality of flow on a street with 50 km/h. A row that changes alone is where traffic stands.",
		}, speedBands, history("district", "speed")).unit("velocitykmh").points(100).leads(to("Traffic", trafficUID)).each(toDistrict("Traffic in this district", trafficUID)).at(10, 4, 7, 8),
		timeSeries(text{
			"Energy: load, mean reading", "Mean of all readings of active power, for the course of the day; how much it is in all, Load tells. A meter that reports more often weighs more, so the mean steps where meters begin to. Dashed: the same hours the day before.",
		}, compared(history("city", "active_power"), "day")).unit("watt").points(100).besideBefore(orange, "A day before").leads(to("Energy", energyUID)).at(17, 4, 7, 8),
		bandTimeline(text{
			"Safety: nitrogen dioxide by district", "Mean of the stations of each district, by the bands of the European Air Quality Index, the two worst in one. " + lawNO2,
		}, indexNO2[:5], history("district", "no2")).unit("conμgm3").points(100).leads(to("Safety", safetyUID)).each(toDistrict("Safety in this district", safetyUID)).at(10, 12, 7, 8),
		bandTimeline(text{
			"Safety: noise by district", "Mean of the equivalent levels of each district (of their energy, as is usual for levels), by the bands of the Environmental Noise Directive.",
		}, noiseBands, history("district", "laeq")).unit("suffix:dB(A)").points(100).leads(to("Safety", safetyUID)).each(toDistrict("Safety in this district", safetyUID)).at(17, 12, 7, 8),
	}
}

func overviewAttention() []Panel {
	silent := registered(question.List)
	silent.States, silent.Limit = []string{"silent"}, 200
	incomplete := ledger(question.Each)
	incomplete.Sort, incomplete.Limit = "missing", 20
	return []Panel{
		table(text{
			"Silent now, if any", "Sensors that should report and do not, the longest silent first; empty where none is. Click one for its history.",
		}, []string{"Sensor", "Title", "Last seen"}, silent).width("Sensor", 110).width("Last seen", 130).transformed(sorted("Last seen", false)).
			override(Matcher{"byName", "Last seen"}, Property{"unit", "dateTimeFromNow"}).opening().leads(to("Fleet", fleetUID)).at(0, 20, 8, 6),
		table(text{
			"Most missing, if any", "Sensors of which most reports are missing in this time, and how complete they are; empty where none is.",
		}, []string{"Sensor", "Title", "Missing", "Completeness"}, incomplete).transformedFirst(positive("Missing")).width("Sensor", 110).width("Missing", 80).width("Completeness", 130).gaugedIn("Completeness", completenessBands).
			opening().leads(to("Fleet", fleetUID)).at(8, 20, 8, 6),
		table(text{
			"Reporting a fault, if any", "What sensors that report say is wrong at this moment: defective street lights, waste containers that are open, dropped or moved. Empty where nothing is.",
		}, []string{"Sensor", "Place", "In words"}, current("lamp_status", "container_status")).
			transformedFirst(positive("Value")).width("Sensor", 110).width("In words", 130).opening().at(16, 20, 8, 6),
	}
}
