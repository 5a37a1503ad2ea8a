package telemetry

var catalogue = index([]Quantity{
	{Name: "intensity", Title: "Vehicles counted", Domain: Traffic, Kind: Count, Unit: One, Min: 0, Max: 100_000, Model: "TrafficFlowObserved.intensity"},
	{Name: "occupancy", Title: "Occupancy", Domain: Traffic, Kind: Gauge, Unit: Ratio, Min: 0, Max: 1, Model: "TrafficFlowObserved.occupancy"},
	{Name: "speed", Title: "Mean speed", Domain: Traffic, Kind: Gauge, Unit: KilometrePerHour, Min: 0, Max: 300, Model: "TrafficFlowObserved.averageVehicleSpeed"},
	{Name: "active_power", Title: "Active power", Domain: Energy, Kind: Gauge, Unit: Watt, Min: -1e9, Max: 1e9, Model: "ACMeasurement.totalActivePower"},
	{Name: "temperature", Title: "Air temperature", Domain: Safety, Kind: Gauge, Unit: Celsius, Min: -60, Max: 70, Model: "AirQualityObserved.temperature"},
	{Name: "no2", Title: "Nitrogen dioxide", Domain: Safety, Kind: Gauge, Unit: MicrogramPerCubicMetre, Min: 0, Max: 5000, Model: "AirQualityObserved.no2"},
})

var catalogueByName = byName(catalogue)

func index(all []Quantity) []Quantity {
	for i := range all {
		all[i].ID = QuantityID(i)
	}
	return all
}

func byName(all []Quantity) map[string]*Quantity {
	names := make(map[string]*Quantity, len(all))
	for i := range all {
		names[all[i].Name] = &all[i]
	}
	return names
}
