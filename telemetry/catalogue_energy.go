package telemetry

// energyQuantities are of the grid and of what it feeds, by name; with them stands the health of devices in the street and
// where they are, so that a technician finds supply, reception and place together. latitude and longitude are of WGS 84.
var energyQuantities = []Quantity{
	{
		Name: "active_power", Title: "Active power", Domain: Energy, Kind: Gauge, Unit: Watt, Min: -1e9, Max: 1e9,
		Model: "ACMeasurement.totalActivePower",
	},
	{
		Name: "altitude", Title: "Height above sea level", Domain: Energy, Device: true, Kind: Gauge, Unit: Metre, Min: -500, Max: 10_000,
	},
	{
		Name: "apparent_power", Title: "Apparent power", Domain: Energy, Kind: Gauge, Unit: VoltAmpere, Min: 0, Max: 1e9,
		Model: "ACMeasurement.totalApparentPower",
	},
	{
		Name: "backlog", Title: "Readings that wait for the link", Domain: Energy, Device: true, Kind: Gauge, Unit: One, Min: 0, Max: 1e12,
	},
	{
		Name: "backlog_age", Title: "Age of the oldest reading that waits", Domain: Energy, Device: true, Kind: Gauge, Unit: Second, Min: 0, Max: 1e10,
	},
	{
		Name: "battery_level", Title: "Battery level", Domain: Energy, Device: true, Kind: Gauge, Unit: Ratio, Min: 0, Max: 1,
		Model: "Device.batteryLevel",
	},
	{
		Name: "battery_voltage", Title: "Battery voltage", Domain: Energy, Device: true, Kind: Gauge, Unit: Volt, Min: 0, Max: 1_000,
	},
	{
		Name: "current", Title: "Current", Domain: Energy, Kind: Gauge, Unit: Ampere, Min: -100_000, Max: 100_000,
		Model: "ACMeasurement.current",
	},
	{
		Name: "device_temperature", Title: "Temperature inside the device", Domain: Energy, Device: true, Kind: Gauge, Unit: Celsius, Min: -60, Max: 150,
	},
	{
		Name: "disk_state", Title: "Whether the disk takes readings", Domain: Energy, Device: true, Kind: State, Unit: Index, Min: 0, Max: 3,
		States: []string{"fine", "full", "read_only", "failing"},
	},
	{
		Name: "disk_used", Title: "Part of the disk in use", Domain: Energy, Device: true, Kind: Gauge, Unit: Ratio, Min: 0, Max: 1,
	},
	{
		Name: "driver_faults", Title: "Faults of sensors and buses since the start", Domain: Energy, Device: true, Kind: Counter, Unit: One, Min: 0, Max: 1e12,
	},
	{
		Name: "energy_export", Title: "Energy delivered to the grid", Domain: Energy, Kind: Counter, Unit: KilowattHour, Min: 0, Max: 1e12,
		Model: "ACMeasurement.totalActiveEnergyExport",
	},
	{
		Name: "energy_import", Title: "Energy taken from the grid", Domain: Energy, Kind: Counter, Unit: KilowattHour, Min: 0, Max: 1e12,
		Model: "ACMeasurement.totalActiveEnergyImport",
	},
	{
		Name: "energy_used", Title: "Energy used in the period", Domain: Energy, Kind: Count, Unit: WattHour, Min: 0, Max: 1e9,
	},
	{
		Name: "frequency", Title: "Grid frequency", Domain: Energy, Kind: Gauge, Unit: Hertz, Min: 0, Max: 1_000,
		Model: "ACMeasurement.frequency",
	},
	{
		Name: "gas_volume", Title: "Gas delivered", Domain: Energy, Kind: Counter, Unit: CubicMetre, Min: 0, Max: 1e12,
	},
	{
		Name: "hdop", Title: "Dilution of the position", Domain: Energy, Device: true, Kind: Gauge, Unit: One, Min: 0, Max: 100,
	},
	{
		Name: "heat_energy", Title: "Heat delivered", Domain: Energy, Kind: Counter, Unit: KilowattHour, Min: 0, Max: 1e12,
	},
	{
		Name: "irradiance", Title: "Solar irradiance", Domain: Energy, Kind: Gauge, Unit: WattPerSquareMetre, Min: 0, Max: 2_000,
		Model: "WeatherObserved.solarRadiation",
	},
	{
		Name: "latitude", Title: "Latitude", Domain: Energy, Device: true, Kind: Gauge, Unit: Degree, Min: -90, Max: 90,
	},
	{
		// Zigbee's LQI, and what is like it: each maker's own scale, so it compares a device with itself.
		Name: "link_quality", Title: "Link quality", Domain: Energy, Device: true, Kind: Gauge, Unit: One, Min: 0, Max: 255,
	},
	{
		Name: "longitude", Title: "Longitude", Domain: Energy, Device: true, Kind: Gauge, Unit: Degree, Min: -180, Max: 180,
	},
	{
		Name: "memory_used", Title: "Part of the memory in use", Domain: Energy, Device: true, Kind: Gauge, Unit: Ratio, Min: 0, Max: 1,
	},
	{
		Name: "phase_to_phase_voltage", Title: "Voltage between phases", Domain: Energy, Kind: Gauge, Unit: Volt, Min: 0, Max: 1_000_000,
		Model: "ACMeasurement.phaseToPhaseVoltage",
	},
	{
		Name: "power_factor", Title: "Power factor", Domain: Energy, Kind: Gauge, Unit: Ratio, Min: -1, Max: 1,
		Model: "ACMeasurement.powerFactor",
	},
	{
		Name: "reactive_energy_export", Title: "Reactive energy delivered to the grid", Domain: Energy, Kind: Counter, Unit: KilovarHour, Min: 0, Max: 1e12,
		Model: "ACMeasurement.totalReactiveEnergyExport",
	},
	{
		Name: "reactive_energy_import", Title: "Reactive energy taken from the grid", Domain: Energy, Kind: Counter, Unit: KilovarHour, Min: 0, Max: 1e12,
		Model: "ACMeasurement.totalReactiveEnergyImport",
	},
	{
		Name: "reactive_power", Title: "Reactive power", Domain: Energy, Kind: Gauge, Unit: Var, Min: -1e9, Max: 1e9,
		Model: "ACMeasurement.totalReactivePower",
	},
	{
		Name: "satellites", Title: "Satellites in use", Domain: Energy, Device: true, Kind: Gauge, Unit: One, Min: 0, Max: 200,
	},
	{
		Name: "signal_strength", Title: "Received signal strength", Domain: Energy, Device: true, Kind: Gauge, Unit: DecibelMilliwatt, Min: -200, Max: 50,
	},
	{
		Name: "signal_to_noise", Title: "Signal to noise ratio", Domain: Energy, Device: true, Kind: Gauge, Unit: Decibel, Min: -100, Max: 100,
	},
	{
		Name: "thd_current", Title: "Harmonic distortion of current", Domain: Energy, Kind: Gauge, Unit: Ratio, Min: 0, Max: 10,
		Model: "ACMeasurement.thdCurrent",
	},
	{
		Name: "thd_voltage", Title: "Harmonic distortion of voltage", Domain: Energy, Kind: Gauge, Unit: Ratio, Min: 0, Max: 10,
		Model: "ACMeasurement.thdVoltage",
	},
	{
		Name: "uptime", Title: "Time since start", Domain: Energy, Device: true, Kind: Counter, Unit: Second, Min: 0, Max: 1e10,
	},
	{
		Name: "voltage", Title: "Voltage", Domain: Energy, Kind: Gauge, Unit: Volt, Min: 0, Max: 1_000_000,
		Model: "ACMeasurement.phaseVoltage",
	},
}
