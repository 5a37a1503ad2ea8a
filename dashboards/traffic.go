package dashboards

// Traffic is how roads, paths and car parks do, beside a normal week.
//
//	stats
//	flow │ speed │ occupancy, now and a week before
//	speed over occupancy │ travel times │ congestion
//	slowest places │ bicycles │ car parks
func Traffic() Dashboard {
	p := page{
		uid: trafficUID, title: "Traffic", back: "24h", variables: []Variable{districts()},
		about: "Flow, speed, occupancy and travel times, compared with the week before, and the places where it is slowest.",
	}
	return p.with(append(append(trafficStats(), trafficCourse()...), trafficPlaces()...)...)
}

func trafficStats() []Panel {
	return []Panel{
		total(text{
			"Vehicles in an hour", "Vehicles that all lane detectors counted in the last hour, whatever time range is chosen. One that passes several detectors counts at each.",
		}, "", history("city", "intensity")).unit("short").since("1h").at(0, 0, 4, 4),
		total(text{
			"Bicycles in an hour", "Bicycles that all counters saw in the last hour, in both directions, whatever time range is chosen.",
		}, "", history("city", "bicycles")).unit("short").since("1h").at(4, 0, 4, 4),
		stat(text{
			"Mean speed", "Mean of all lanes whose detectors report now.",
		}, "mean", "Mean speed", current("speed")).unit("velocitykmh").decimals(0).at(8, 0, 4, 4),
		stat(text{
			"Occupancy", "Part of the time for which a vehicle stands over a detector, mean of all that report now. Above a fifth, traffic begins to stand.",
		}, "mean", "Occupancy", current("occupancy")).unit("percentunit").decimals(1).banded(occupancyBands).at(12, 0, 4, 4),
		total(text{
			"Congested routes", "Routes to the centre that are congested now; of those that report.",
		}, "Congestion", current("congested")).unit("short").banded(noneBands).at(16, 0, 4, 4),
		total(text{
			"Free parking spots", "Sum of all car parks that report now.",
		}, "Free parking spots", current("available_spots")).unit("short").at(20, 0, 4, 4),
	}
}

func trafficCourse() []Panel {
	states := []state{{"free", blue}, {"congested", vermillion}}
	return []Panel{
		timeSeries(text{
			"Vehicles per lane and report, and a week before", "Vehicles that a lane counts between two reports, mean of all reports: comparable over time also where detectors are silent, as long as they report as often. Dashed: the same hours a week before.",
		}, compared(aggregated(history("city", "intensity"), "mean"), "week")).unit("short").points(100).besideBefore(blue, "A week before").at(0, 4, 8, 8),
		timeSeries(text{
			"Speed, and a week before", "Mean speed of all lanes. Dashed: the same hours a week before.",
		}, compared(history("city", "speed"), "week")).unit("velocitykmh").points(100).besideBefore(green, "A week before").at(8, 4, 8, 8),
		bandTimeline(text{
			"Occupancy by district", "Part of the time for which a vehicle stands over a detector. Above a fifth, traffic begins to stand.",
		}, occupancyBands, history("district", "occupancy")).unit("percentunit").points(100).each(toDistrict("Traffic in this district", trafficUID)).at(16, 4, 8, 8),
		over(text{
			"Speed over occupancy, first lanes now", "Each point is a lane detector that reports: above, free traffic; down and to the right, traffic that stands. A point below the cloud is slow without being full: road works, or a detector that is wrong.",
		}, "Occupancy 1", "Mean speed 1", firstLanes()).override(Matcher{"byName", "Occupancy 1"}, Property{"max", nil}, Property{"custom.axisLabel", "Occupancy"}).
			override(Matcher{"byName", "Mean speed 1"}, Property{"custom.axisLabel", "Mean speed"}).each(toSensor(ofRow)).at(0, 12, 8, 7),
		lines(text{
			"Travel times to the centre", "Time from each place to the centre. Click a line for its sensor.",
		}, history("sensor", "travel_time")).unit("dthms").override(Matcher{"byType", "number"}, Property{"unit", "dthms"}).points(100).told().each(toSensor(ofLine)).at(8, 12, 8, 7),
		stateTimeline(text{
			"Congestion of routes", "When each route to the centre was congested at some moment of a step.",
		}, states, aggregated(history("sensor", "congested"), "max")).points(100).each(toSensor(ofLine)).at(16, 12, 8, 7),
	}
}

func trafficPlaces() []Panel {
	return []Panel{
		table(text{
			"Slowest lanes now", "Lanes that report, the lowest newest speed first. Click one for its history.",
		}, []string{"Sensor", "Place", "Channel", "Mean speed"}, current("speed")).
			transformed(sorted("Mean speed", false), first(20)).opening().width("Sensor", 110).width("Channel", 80).width("Mean speed", 110).at(0, 19, 8, 7),
		timeSeries(text{
			"Bicycles per report, by direction", "Bicycles between two reports of a counter, mean of all reports: comparable over time also where counters are silent, as long as they report as often.",
		}, aggregated(history("channel", "bicycles"), "mean")).unit("short").points(60).naming("/in$/", blue).naming("/out$/", orange).at(8, 19, 8, 7),
		table(text{
			"Car parks", "How full each car park is that reports now, the fullest first.",
		}, []string{"Sensor", "Place", "Free parking spots", "Full"}, currentBySensor("available_spots", "occupied_spots", "total_spots")).
			transformedFirst(ratioOf("Full", "Taken parking spots", "Parking spots")).transformed(sorted("Full", true)).
			gaugedIn("Full", fullBands).percent("Full").width("Sensor", 110).width("Full", 140).
			override(Matcher{"byName", "Free parking spots"}, Property{"displayName", "Free"}, Property{"custom.width", 70}).opening().at(16, 19, 8, 7),
	}
}
