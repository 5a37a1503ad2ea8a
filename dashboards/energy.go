package dashboards

// Energy is the load of the grid, its quality, and the street lights.
//
//	stats
//	load, now and a day before │ load by district │ highest loads
//	voltage by phase │ current by phase │ power factor
//	street lights and daylight │ street lights' state │ those that need a visit
func Energy() Dashboard {
	p := page{
		uid: energyUID, title: "Energy", back: "24h", variables: []Variable{districts()},
		about: "Load by district, site and phase, its peaks, voltage, power factor, and the street lights.",
	}
	return p.with(append(append(energyStats(), energyCourse()...), streetLights()...)...)
}

func energyStats() []Panel {
	const voltage = "European grids keep 230 V within 10 % (EN 50160): 207 to 253 V."
	return []Panel{
		total(text{"Load now", "Sum of the active power of all meters that report now, solar roofs deducted."}, "Active power", current("active_power")).
			unit("watt").decimals(0).at(0, 0, 3, 4),
		stat(text{"Highest load", "The meter that draws most of those that report now."}, "max", "Active power", current("active_power")).
			unit("watt").decimals(1).at(3, 0, 3, 4),
		stat(text{"Voltage min", "Of all phases of all meters that report now. " + voltage}, "min", "Voltage", current("voltage")).
			unit("volt").decimals(0).banded(voltageBands).at(6, 0, 3, 4),
		stat(text{"Voltage max", "Of all phases of all meters that report now. " + voltage}, "max", "Voltage", current("voltage")).
			unit("volt").decimals(0).banded(voltageBands).at(9, 0, 3, 4),
		stat(text{
			"Frequency", "Mean of all meters that report now. European grids keep 50 Hz within 1 % (EN 50160).",
		}, "mean", "Grid frequency", current("frequency")).unit("hertz").decimals(2).banded(frequencyBands).at(12, 0, 3, 4),
		stat(text{
			"cos φ", "Power factor: mean of all meters that report now. Many operators of grids bill reactive energy below 0.9.",
		}, "mean", "Power factor", current("power_factor")).unit("short").decimals(2).banded(powerFactorBands).
			override(Matcher{"byName", "Power factor"}, Property{"unit", "short"}).at(15, 0, 3, 4),
		stat(text{"Lights set to", "How bright street lights are set, mean of all that report now: 0 % by day."}, "mean", "Dimming level of street light", current("illuminance_level")).
			unit("percentunit").decimals(0).at(18, 0, 3, 4),
		stat(text{"Faulty lights", "Street lights that report a fault of lamp, column or lantern now."}, "count", "Street light", current("lamp_status")).
			unit("short").transformed(positive("Street light")).override(Matcher{"byName", "Street light"}, Property{"mappings", []any{}}).banded(noneBands).at(21, 0, 3, 4),
	}
}

// weighs is said of means over meters: they are of readings, not of meters' own means.
const weighs = "A meter that reports more often weighs more, so a mean steps where meters begin to."

func energyCourse() []Panel {
	return []Panel{
		timeSeries(text{
			"Mean reading of load, and a day before", "Mean of all readings of active power, for the course of the day; how much it is in all, Load now tells. " + weighs + " Dashed: the same hours the day before.",
		}, compared(history("city", "active_power"), "day")).unit("watt").points(100).besideBefore(orange, "A day before").at(0, 4, 8, 8),
		heat(text{
			"Mean reading of load by district", "Mean of the readings of active power of each district: blue is little, red is much. " + weighs,
		}, history("district", "active_power")).unit("watt").points(100).each(toDistrict("Energy in this district", energyUID)).at(8, 4, 8, 8),
		barGauge(text{
			"Peaks by site", "The highest active power that a meter of each site drew in this time, the five highest.",
		}, "", 5, aggregated(history("site", "active_power"), "max")).unit("watt").decimals(1).points(100).
			transformed(rows("max"), sorted("Max", true), first(5)).at(16, 4, 8, 8),
		timeSeries(text{
			"Voltage by phase", "Lowest and highest of all meters by phase. European grids keep 230 V within 10 % (EN 50160): 207 to 253 V, the bands.",
		}, aggregated(history("channel", "voltage"), "min"), aggregated(history("channel", "voltage"), "max")).unit("volt").points(100).banded(voltageBands).byPhase().
			override(Matcher{"byFrameRefID", "A"}, Property{"displayName", "${__field.labels.channel} min"}, Property{"custom.lineStyle", LineStyle{Fill: "dash", Dash: []int{4, 4}}}).override(Matcher{"byFrameRefID", "B"}, Property{"displayName", "${__field.labels.channel} max"}).legendRight().at(0, 12, 8, 7),
		timeSeries(text{
			"Mean reading of current by phase", "Mean of all readings. Phases that part from one another are loaded unevenly. " + weighs,
		}, history("channel", "current")).unit("amp").points(100).byPhase().at(8, 12, 8, 7),
		bandTimeline(text{
			"Power factor by district", "Mean of the meters of each district. Many operators of grids bill reactive energy below 0.9.",
		}, powerFactorBands, history("district", "power_factor")).unit("short").points(100).decimals(2).
			override(Matcher{"byType", "number"}, Property{"unit", "short"}).each(toDistrict("Energy in this district", energyUID)).at(16, 12, 8, 7),
	}
}

// byPhase gives the three phases their colours.
func (p Panel) byPhase() Panel {
	fill := 0
	p.FieldConfig.Defaults.Custom.FillOpacity = &fill
	return p.naming("/L1/", orange).naming("/L2/", skyBlue).naming("/L3/", purple)
}

func streetLights() []Panel {
	states := []state{{"off", grey}, {"on", yellow}, {"low", orange}, {"booting up", purple}}
	return []Panel{
		timeSeries(text{
			"Street lights and daylight", "How bright street lights are set, beside what the sun gives to solar roofs. Lights that burn by day, or not at night, show here.",
		}, history("city", "illuminance_level"), history("city", "irradiance")).unit("percentunit").points(100).coloring("A", orange).coloring("B", skyBlue).
			override(Matcher{"byFrameRefID", "A"}, Property{"displayName", "Lights"}).
			override(Matcher{"byFrameRefID", "B"}, Property{"displayName", "Daylight"}, Property{"custom.axisPlacement", "right"}).at(0, 19, 8, 7),
		stateTimeline(text{
			"Street lights' state", "The street lights of each district: off, on or dimmed; of each step the highest of these.",
		}, states, aggregated(history("district", "power_state"), "max")).points(100).each(toDistrict("Energy in this district", energyUID)).at(8, 19, 8, 7),
		table(text{
			"Street lights that need a visit, if any", "Those that report a fault of lamp, column or lantern now; empty where none does.",
		}, []string{"Sensor", "Place", "In words", "Measured"}, current("lamp_status")).transformedFirst(positive("Street light")).
			override(Matcher{"byName", "Measured"}, Property{"unit", "dateTimeFromNow"}).width("Sensor", 110).width("In words", 130).width("Measured", 130).opening().at(16, 19, 8, 7),
	}
}
