package telemetry

// trafficQuantities are of roads, paths and parking, by name. A raw detector's occupancy is often percent or per mille: it is
// kept as a ratio.
var trafficQuantities = []Quantity{
	{
		Name: "available_spots", Title: "Free parking spots", Domain: Traffic, Kind: Gauge, Unit: One, Min: 0, Max: 100_000,
		Model: "OnStreetParking.availableSpotNumber",
	},
	{
		Name: "bicycles", Title: "Bicycles counted", Domain: Traffic, Kind: Count, Unit: One, Min: 0, Max: 100_000,
		Model: "TrafficFlowObserved.intensity",
	},
	{
		Name: "congested", Title: "Congestion", Domain: Traffic, Kind: State, Unit: Index, Min: 0, Max: 1,
		States: []string{"free", "congested"}, Model: "TrafficFlowObserved.congested",
	},
	{
		Name: "gap_distance", Title: "Mean gap between vehicles", Domain: Traffic, Kind: Gauge, Unit: Metre, Min: 0, Max: 100_000,
		Model: "TrafficFlowObserved.averageGapDistance",
	},
	{
		Name: "headway_time", Title: "Mean headway", Domain: Traffic, Kind: Gauge, Unit: Second, Min: 0, Max: 86_400,
		Model: "TrafficFlowObserved.averageHeadwayTime",
	},
	{
		Name: "heavy_vehicles", Title: "Heavy vehicles counted", Domain: Traffic, Kind: Count, Unit: One, Min: 0, Max: 100_000,
	},
	{
		Name: "intensity", Title: "Vehicles counted", Domain: Traffic, Kind: Count, Unit: One, Min: 0, Max: 100_000,
		Model: "TrafficFlowObserved.intensity",
	},
	{
		Name: "occupancy", Title: "Occupancy", Domain: Traffic, Kind: Gauge, Unit: Ratio, Min: 0, Max: 1,
		Model: "TrafficFlowObserved.occupancy",
	},
	{
		Name: "occupied_spots", Title: "Taken parking spots", Domain: Traffic, Kind: Gauge, Unit: One, Min: 0, Max: 100_000,
		Model: "OnStreetParking.occupiedSpotNumber",
	},
	{
		Name: "parking_status", Title: "Parking spot", Domain: Traffic, Kind: State, Unit: Index, Min: 0, Max: 3,
		States: []string{"free", "occupied", "closed", "unknown"}, Model: "ParkingSpot.status",
	},
	{
		Name: "pedestrians", Title: "Pedestrians counted", Domain: Traffic, Kind: Count, Unit: One, Min: 0, Max: 100_000,
	},
	{
		Name: "queue_length", Title: "Length of queue", Domain: Traffic, Kind: Gauge, Unit: Metre, Min: 0, Max: 100_000,
	},
	{
		Name: "reversed_lane", Title: "Lane direction", Domain: Traffic, Kind: State, Unit: Index, Min: 0, Max: 1,
		States: []string{"normal", "reversed"}, Model: "TrafficFlowObserved.reversedLane",
	},
	{
		Name: "road_temperature", Title: "Road surface temperature", Domain: Traffic, Kind: Gauge, Unit: Celsius, Min: -60, Max: 100,
	},
	{
		Name: "signal_phase", Title: "Traffic signal", Domain: Traffic, Kind: State, Unit: Index, Min: 0, Max: 5,
		States: []string{"dark", "green", "amber", "red", "red_amber", "flashing"},
	},
	{
		Name: "speed", Title: "Mean speed", Domain: Traffic, Kind: Gauge, Unit: KilometrePerHour, Min: 0, Max: 300,
		Model: "TrafficFlowObserved.averageVehicleSpeed",
	},
	{
		Name: "total_spots", Title: "Parking spots", Domain: Traffic, Kind: Gauge, Unit: One, Min: 0, Max: 100_000,
		Model: "OnStreetParking.totalSpotNumber",
	},
	{
		Name: "travel_time", Title: "Travel time", Domain: Traffic, Kind: Gauge, Unit: Second, Min: 0, Max: 86_400,
	},
	{
		Name: "vehicle_length", Title: "Mean vehicle length", Domain: Traffic, Kind: Gauge, Unit: Metre, Min: 0, Max: 100,
		Model: "TrafficFlowObserved.averageVehicleLength",
	},
}
