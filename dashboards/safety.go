package dashboards

// Safety is what people breathe and hear, where water rises and where crowds gather.
//
//	worst places now
//	NO2 │ O3 │ PM10 │ PM2.5 over the bands of the index
//	noise │ river │ crowds
//	loudest │ weather │ wind │ waste containers
func Safety() Dashboard {
	p := page{
		uid: safetyUID, title: "Safety", back: "24h", variables: []Variable{districts()},
		about: "Air by the European index, noise, water levels, crowds, weather and waste, each with the levels at which something has to be done.",
	}
	return p.with(append(append(safetyStats(), air()...), append(noiseWaterCrowds(), surroundings()...)...)...)
}

func safetyStats() []Panel {
	return []Panel{
		stat(text{"NO₂", "Highest of the stations that report now, coloured by the European Air Quality Index. " + lawNO2}, "max", "Nitrogen dioxide", current("no2")).
			unit("conμgm3").decimals(0).banded(indexNO2).at(0, 0, 3, 4),
		stat(text{"O₃", "Highest of the stations that report now, coloured by the European Air Quality Index. " + lawO3}, "max", "Ozone", current("o3")).
			unit("conμgm3").decimals(0).banded(indexO3).at(3, 0, 3, 4),
		stat(text{"PM10", "Highest of the stations that report now, coloured by the European Air Quality Index. " + lawPM10}, "max", "Particles up to 10 µm", current("pm10")).
			unit("conμgm3").decimals(0).banded(indexPM10).at(6, 0, 3, 4),
		stat(text{"PM2.5", "Highest of the stations that report now, coloured by the European Air Quality Index. " + lawPM25}, "max", "Particles up to 2.5 µm", current("pm25")).
			unit("conμgm3").decimals(0).banded(indexPM25).at(9, 0, 3, 4),
		stat(text{"Noise", "Highest equivalent level of the meters that report now."}, "max", "Equivalent noise level", current("laeq")).
			unit("suffix:dB(A)").decimals(0).banded(noiseBands).at(12, 0, 3, 4),
		stat(text{
			"River", "Highest water level above a gauge's zero, of the gauges that report now. The bands are those of the demonstration city: set your gauges' own alert levels.",
		}, "max", "Water level", current("water_level")).unit("lengthm").decimals(2).banded(riverBands).at(15, 0, 3, 4),
		total(text{"People", "Sum of the people present at all counters that report now."}, "People present", current("people_present")).
			unit("short").at(18, 0, 3, 4),
		stat(text{"Rain", "Strongest rain of all weather stations that report now."}, "max", "Rain intensity", current("rain_rate")).
			unit("suffix:mm/h").decimals(1).at(21, 0, 3, 4),
	}
}

// air shows each gas and dust by site over the bands of the index. The index is of hourly means, so steps are of an hour.
func air() []Panel {
	var panels []Panel
	for i, of := range []struct {
		title, quantity, law string
		bands                []band
	}{
		{"Nitrogen dioxide", "no2", lawNO2, indexNO2},
		{"Ozone", "o3", lawO3, indexO3},
		{"Particles up to 10 µm", "pm10", lawPM10, indexPM10},
		{"Particles up to 2.5 µm", "pm25", lawPM25, indexPM25},
	} {
		q := history("sensor", of.quantity)
		q.Step = "1h"
		p := lines(text{
			of.title, "Hourly means of each station over the bands of the European Air Quality Index: good, fair, moderate, poor, very poor, extremely poor. Point at a line for its station, click it to open it. " + of.law,
		}, q).unit("conμgm3").banded(of.bands).each(toSensor(ofLine)).at(6*i, 4, 6, 8)
		panels = append(panels, p)
	}
	return panels
}

func noiseWaterCrowds() []Panel {
	return []Panel{
		bandTimeline(text{
			"Noise by district", "Mean of the equivalent levels of each district (of their energy, as is usual for levels), by the bands in which the Environmental Noise Directive counts people: 55, 65, 75 dB(A). WHO advises less than 53 of road noise.",
		}, noiseBands, history("district", "laeq")).unit("suffix:dB(A)").points(100).each(toDistrict("Safety in this district", safetyUID)).at(0, 12, 8, 7),
		lines(text{
			"Water levels", "Above each gauge's zero. The dashed lines are the alert levels of the demonstration city's river: set your gauges' own. Click a line for its gauge.",
		}, history("sensor", "water_level")).unit("lengthm").points(100).banded(riverBands).told().each(toSensor(ofLine)).at(8, 12, 8, 7),
		lines(text{
			"People at each square", "People present at each counter. Dashed: one and two people on a square metre of a place of 400 m². Click a line for its counter.",
		}, history("sensor", "people_present")).unit("short").points(100).banded(crowdBands).told().each(toSensor(ofLine)).at(16, 12, 8, 7),
	}
}

func surroundings() []Panel {
	return []Panel{
		table(text{
			"Loudest places now", "Noise meters that report, by their newest equivalent level. Click one for its history.",
		}, []string{"Sensor", "Place", "Equivalent noise level"}, current("laeq")).
			transformed(sorted("Equivalent noise level", true), first(20)).
			override(Matcher{"byName", "Equivalent noise level"}, Property{"thresholds", thresholds(noiseBands)}, Property{"color", Color{Mode: "thresholds"}}, Property{"custom.cellOptions", TypeOnly{Type: "color-text"}}, Property{"displayName", "LAeq"}, Property{"custom.width", 95}).
			width("Sensor", 95).opening().at(0, 19, 6, 7),
		timeSeries(text{
			"Temperature and rain", "Mean temperature, and the mean of the rain at all weather stations.",
		}, history("city", "temperature"), history("city", "rain_rate")).unit("celsius").points(100).coloring("A", vermillion).coloring("B", blue).
			override(Matcher{"byFrameRefID", "B"}, Property{"custom.axisPlacement", "right"}, Property{"min", 0}, Property{"custom.axisSoftMax", 5}).at(6, 19, 6, 7),
		timeSeries(text{
			"Wind", "Mean wind speed of all weather stations, and the highest.",
		}, history("city", "wind_speed"), aggregated(history("city", "wind_speed"), "max")).unit("velocityms").points(100).coloring("A", blue).coloring("B", skyBlue).
			override(Matcher{"byFrameRefID", "A"}, Property{"displayName", "Mean"}).override(Matcher{"byFrameRefID", "B"}, Property{"displayName", "Highest"}).at(12, 19, 6, 7),
		table(text{
			"Waste containers", "How full each container is that reports now, the fullest first.",
		}, []string{"Sensor", "Place", "Filling level of waste container"}, currentBySensor("filling_level")).transformed(sorted("Filling level of waste container", true)).
			gaugedIn("Filling level of waste container", fullBands).percent("Filling level of waste container").
			override(Matcher{"byName", "Filling level of waste container"}, Property{"displayName", "Full"}, Property{"custom.width", 120}).width("Sensor", 95).opening().at(18, 19, 6, 7),
	}
}
