package telemetry

// safetyQuantities are of air, noise, water, waste, crowd and light, by name. Gases are kept as mass per volume, as EU limit values
// are; carbon dioxide and methane, which no one measures so, as volume fraction. nox is the sum of NO and NO2 expressed as
// NO2 (Directive 2008/50/EC, annex VI). wind_direction is where the wind comes from, clockwise from north, 0 to 360.
// mox_* are bare signals of metal oxide sensors, comparable only with themselves.
var safetyQuantities = []Quantity{
	{
		Name: "absolute_humidity", Title: "Absolute humidity", Domain: Safety, Kind: Gauge, Unit: GramPerCubicMetre, Min: 0, Max: 200,
	},
	{
		Name: "air_quality_index", Title: "Air quality index", Domain: Safety, Kind: Gauge, Unit: One, Min: 0, Max: 1_000,
		Model: "AirQualityObserved.airQualityIndex",
	},
	{
		Name: "c6h6", Title: "Benzene", Domain: Safety, Kind: Gauge, Unit: MicrogramPerCubicMetre, Min: 0, Max: 10_000,
		MolarMass: 78.114, Model: "AirQualityObserved.c6h6",
	},
	{
		Name: "cargo_weight", Title: "Weight of waste", Domain: Safety, Kind: Gauge, Unit: Kilogram, Min: 0, Max: 100_000,
		Model: "WasteContainer.cargoWeight",
	},
	{
		Name: "co", Title: "Carbon monoxide", Domain: Safety, Kind: Gauge, Unit: MicrogramPerCubicMetre, Min: 0, Max: 1_000_000,
		MolarMass: 28.01, Model: "AirQualityObserved.co",
	},
	{
		Name: "co2", Title: "Carbon dioxide", Domain: Safety, Kind: Gauge, Unit: PartsPerMillion, Min: 0, Max: 100_000,
		MolarMass: 44.009, Model: "AirQualityObserved.co2",
	},
	{
		Name: "conductivity", Title: "Conductivity of water", Domain: Safety, Kind: Gauge, Unit: MicrosiemensPerCm, Min: 0, Max: 1_000_000,
		Model: "WaterQualityObserved.conductivity",
	},
	{
		Name: "container_status", Title: "Waste container", Domain: Safety, Kind: State, Unit: Index, Min: 0, Max: 6,
		States: []string{"ok", "lid_open", "dropped", "moved", "vandalized", "burning", "unknown"}, Model: "WasteContainer.status",
	},
	{
		Name: "crowd_density", Title: "Crowd density", Domain: Safety, Kind: Gauge, Unit: PerSquareMetre, Min: 0, Max: 50,
	},
	{
		Name: "crowd_speed", Title: "Mean walking speed", Domain: Safety, Kind: Gauge, Unit: KilometrePerHour, Min: 0, Max: 50,
		Model: "CrowdFlowObserved.averageCrowdSpeed",
	},
	{
		Name: "dew_point", Title: "Dew point", Domain: Safety, Kind: Gauge, Unit: Celsius, Min: -100, Max: 70,
		Model: "WeatherObserved.dewPoint",
	},
	{
		Name: "dissolved_oxygen", Title: "Dissolved oxygen", Domain: Safety, Kind: Gauge, Unit: MilligramPerLitre, Min: 0, Max: 100,
		Model: "WaterQualityObserved.O2",
	},
	{
		Name: "door", Title: "Door", Domain: Safety, Kind: State, Unit: Index, Min: 0, Max: 1,
		States: []string{"closed", "open"},
	},
	{
		Name: "escherichia_coli", Title: "Escherichia coli", Domain: Safety, Kind: Gauge, Unit: ColoniesPerDecilitre, Min: 0, Max: 1e9,
		Model: "WaterQualityObserved.escherichiaColi",
	},
	{
		Name: "filling_level", Title: "Filling level of waste container", Domain: Safety, Kind: Gauge, Unit: Ratio, Min: 0, Max: 1,
		Model: "WasteContainer.fillingLevel",
	},
	{
		Name: "flood", Title: "Flood", Domain: Safety, Kind: State, Unit: Index, Min: 0, Max: 1,
		States: []string{"dry", "flooded"},
	},
	{
		Name: "h2s", Title: "Hydrogen sulphide", Domain: Safety, Kind: Gauge, Unit: MicrogramPerCubicMetre, Min: 0, Max: 1_000_000,
		MolarMass: 34.08, Model: "AirQualityObserved.sh2",
	},
	{
		Name: "illuminance", Title: "Illuminance", Domain: Safety, Kind: Gauge, Unit: Lux, Min: 0, Max: 200_000,
		Model: "WeatherObserved.illuminance",
	},
	{
		Name: "illuminance_level", Title: "Dimming level of street light", Domain: Safety, Kind: Gauge, Unit: Ratio, Min: 0, Max: 1,
		Model: "Streetlight.illuminanceLevel",
	},
	{
		Name: "la10", Title: "Noise exceeded a tenth of the time", Domain: Safety, Kind: Gauge, Unit: SoundLevel, Min: 0, Max: 194,
	},
	{
		Name: "la90", Title: "Noise exceeded nine tenths of the time", Domain: Safety, Kind: Gauge, Unit: SoundLevel, Min: 0, Max: 194,
	},
	{
		Name: "laeq", Title: "Equivalent noise level", Domain: Safety, Kind: Gauge, Unit: SoundLevel, Min: 0, Max: 194,
		Mean: Energetic, Model: "NoiseLevelObserved.LAeq",
	},
	{
		Name: "lamax", Title: "Highest noise level", Domain: Safety, Kind: Gauge, Unit: SoundLevel, Min: 0, Max: 194,
		Model: "NoiseLevelObserved.LAmax",
	},
	{
		Name: "lamin", Title: "Lowest noise level", Domain: Safety, Kind: Gauge, Unit: SoundLevel, Min: 0, Max: 194,
	},
	{
		Name: "lamp_status", Title: "Street light", Domain: Safety, Kind: State, Unit: Index, Min: 0, Max: 3,
		States: []string{"ok", "defective_lamp", "column_issue", "broken_lantern"}, Model: "Streetlight.status",
	},
	{
		Name: "las", Title: "Noise level, slow", Domain: Safety, Kind: Gauge, Unit: SoundLevel, Min: 0, Max: 194,
		Model: "NoiseLevelObserved.LAS",
	},
	{
		Name: "methane", Title: "Methane", Domain: Safety, Kind: Gauge, Unit: PartsPerMillion, Min: 0, Max: 1_000_000,
		MolarMass: 16.043, Model: "WasteContainer.methaneConcentration",
	},
	{
		Name: "motion", Title: "Motion", Domain: Safety, Kind: State, Unit: Index, Min: 0, Max: 1,
		States: []string{"none", "motion"},
	},
	{
		Name: "mox_co", Title: "Metal oxide sensor for CO", Domain: Safety, Kind: Gauge, Unit: One, Min: 0, Max: 1e7,
	},
	{
		Name: "mox_nmhc", Title: "Metal oxide sensor for NMHC", Domain: Safety, Kind: Gauge, Unit: One, Min: 0, Max: 1e7,
	},
	{
		Name: "mox_no2", Title: "Metal oxide sensor for NO2", Domain: Safety, Kind: Gauge, Unit: One, Min: 0, Max: 1e7,
	},
	{
		Name: "mox_nox", Title: "Metal oxide sensor for NOx", Domain: Safety, Kind: Gauge, Unit: One, Min: 0, Max: 1e7,
	},
	{
		Name: "mox_o3", Title: "Metal oxide sensor for O3", Domain: Safety, Kind: Gauge, Unit: One, Min: 0, Max: 1e7,
	},
	{
		Name: "nh3", Title: "Ammonia", Domain: Safety, Kind: Gauge, Unit: MicrogramPerCubicMetre, Min: 0, Max: 1_000_000,
		MolarMass: 17.031,
	},
	{
		Name: "nmhc", Title: "Hydrocarbons without methane", Domain: Safety, Kind: Gauge, Unit: MicrogramPerCubicMetre, Min: 0, Max: 100_000,
	},
	{
		Name: "no", Title: "Nitrogen monoxide", Domain: Safety, Kind: Gauge, Unit: MicrogramPerCubicMetre, Min: 0, Max: 10_000,
		MolarMass: 30.006, Model: "AirQualityObserved.no",
	},
	{
		Name: "no2", Title: "Nitrogen dioxide", Domain: Safety, Kind: Gauge, Unit: MicrogramPerCubicMetre, Min: 0, Max: 5_000,
		MolarMass: 46.005, Model: "AirQualityObserved.no2",
	},
	{
		Name: "nox", Title: "Nitrogen oxides as NO2", Domain: Safety, Kind: Gauge, Unit: MicrogramPerCubicMetre, Min: 0, Max: 20_000,
		MolarMass: 46.005, Model: "AirQualityObserved.nox",
	},
	{
		Name: "o3", Title: "Ozone", Domain: Safety, Kind: Gauge, Unit: MicrogramPerCubicMetre, Min: 0, Max: 2_000,
		MolarMass: 47.997, Model: "AirQualityObserved.o3",
	},
	{
		Name: "people_away", Title: "People leaving", Domain: Safety, Kind: Count, Unit: One, Min: 0, Max: 1_000_000,
		Model: "CrowdFlowObserved.peopleCountAway",
	},
	{
		Name: "people_count", Title: "People counted", Domain: Safety, Kind: Count, Unit: One, Min: 0, Max: 1_000_000,
		Model: "CrowdFlowObserved.peopleCount",
	},
	{
		Name: "people_present", Title: "People present", Domain: Safety, Kind: Gauge, Unit: One, Min: 0, Max: 1_000_000,
	},
	{
		Name: "people_towards", Title: "People arriving", Domain: Safety, Kind: Count, Unit: One, Min: 0, Max: 1_000_000,
		Model: "CrowdFlowObserved.peopleCountTowards",
	},
	{
		Name: "ph", Title: "Acidity of water", Domain: Safety, Kind: Gauge, Unit: Acidity, Min: 0, Max: 14,
		Model: "WaterQualityObserved.pH",
	},
	{
		Name: "pm1", Title: "Particles up to 1 µm", Domain: Safety, Kind: Gauge, Unit: MicrogramPerCubicMetre, Min: 0, Max: 10_000,
		Model: "AirQualityObserved.pm1",
	},
	{
		Name: "pm10", Title: "Particles up to 10 µm", Domain: Safety, Kind: Gauge, Unit: MicrogramPerCubicMetre, Min: 0, Max: 10_000,
		Model: "AirQualityObserved.pm10",
	},
	{
		Name: "pm25", Title: "Particles up to 2.5 µm", Domain: Safety, Kind: Gauge, Unit: MicrogramPerCubicMetre, Min: 0, Max: 10_000,
		Model: "AirQualityObserved.pm25",
	},
	{
		Name: "pm4", Title: "Particles up to 4 µm", Domain: Safety, Kind: Gauge, Unit: MicrogramPerCubicMetre, Min: 0, Max: 10_000,
		Model: "AirQualityObserved.pm4",
	},
	{
		Name: "power_state", Title: "Power of street light", Domain: Safety, Kind: State, Unit: Index, Min: 0, Max: 3,
		States: []string{"off", "on", "low", "booting_up"}, Model: "Streetlight.powerState",
	},
	{
		Name: "precipitation", Title: "Rain in the period", Domain: Safety, Kind: Count, Unit: Millimetre, Min: 0, Max: 1_000,
		Model: "AirQualityObserved.precipitation",
	},
	{
		Name: "pressure", Title: "Air pressure", Domain: Safety, Kind: Gauge, Unit: Hectopascal, Min: 500, Max: 1_100,
		Model: "AirQualityObserved.pressure",
	},
	{
		Name: "rain_rate", Title: "Rain intensity", Domain: Safety, Kind: Gauge, Unit: MillimetrePerHour, Min: 0, Max: 1_000,
	},
	{
		Name: "redox_potential", Title: "Redox potential of water", Domain: Safety, Kind: Gauge, Unit: Millivolt, Min: -2_000, Max: 2_000,
		Model: "WaterQualityObserved.orp",
	},
	{
		Name: "relative_humidity", Title: "Relative humidity", Domain: Safety, Kind: Gauge, Unit: Ratio, Min: 0, Max: 1.05,
		Model: "AirQualityObserved.relativeHumidity",
	},
	{
		Name: "smoke", Title: "Smoke", Domain: Safety, Kind: State, Unit: Index, Min: 0, Max: 1,
		States: []string{"clear", "smoke"},
	},
	{
		Name: "so2", Title: "Sulphur dioxide", Domain: Safety, Kind: Gauge, Unit: MicrogramPerCubicMetre, Min: 0, Max: 10_000,
		MolarMass: 64.058, Model: "AirQualityObserved.so2",
	},
	{
		Name: "soil_moisture", Title: "Soil moisture", Domain: Safety, Kind: Gauge, Unit: Ratio, Min: 0, Max: 1,
	},
	{
		Name: "tamper", Title: "Enclosure", Domain: Safety, Kind: State, Unit: Index, Min: 0, Max: 1,
		States: []string{"intact", "opened"},
	},
	{
		Name: "temperature", Title: "Air temperature", Domain: Safety, Kind: Gauge, Unit: Celsius, Min: -60, Max: 70,
		Model: "AirQualityObserved.temperature",
	},
	{
		Name: "tsp", Title: "All suspended particles", Domain: Safety, Kind: Gauge, Unit: MicrogramPerCubicMetre, Min: 0, Max: 100_000,
		Model: "AirQualityObserved.tsp",
	},
	{
		Name: "turbidity", Title: "Turbidity of water", Domain: Safety, Kind: Gauge, Unit: Turbidity, Min: 0, Max: 10_000,
		Model: "WaterQualityObserved.turbidity",
	},
	{
		Name: "uv_index", Title: "UV index", Domain: Safety, Kind: Gauge, Unit: One, Min: 0, Max: 30,
		Model: "WeatherObserved.uVIndexMax",
	},
	{
		Name: "vapour_pressure", Title: "Water vapour pressure", Domain: Safety, Kind: Gauge, Unit: Hectopascal, Min: 0, Max: 150,
	},
	{
		Name: "visibility", Title: "Visibility", Domain: Safety, Kind: Gauge, Unit: Metre, Min: 0, Max: 100_000,
	},
	{
		Name: "voc", Title: "Volatile organic compounds", Domain: Safety, Kind: Gauge, Unit: MicrogramPerCubicMetre, Min: 0, Max: 1_000_000,
		Model: "AirQualityObserved.volatileOrganicCompoundsTotal",
	},
	{
		Name: "water_flow", Title: "Water flow", Domain: Safety, Kind: Gauge, Unit: CubicMetrePerHour, Min: -1e7, Max: 1e7,
		Model: "WaterQualityObserved.flow",
	},
	{
		Name: "water_level", Title: "Water level", Domain: Safety, Kind: Gauge, Unit: Metre, Min: -100, Max: 1_000,
		Model: "FloodMonitoring.currentLevel",
	},
	{
		Name: "water_temperature", Title: "Water temperature", Domain: Safety, Kind: Gauge, Unit: Celsius, Min: -5, Max: 100,
		Model: "WaterQualityObserved.temperature",
	},
	{
		Name: "water_volume", Title: "Water delivered", Domain: Safety, Kind: Counter, Unit: CubicMetre, Min: 0, Max: 1e12,
	},
	{
		Name: "wind_direction", Title: "Wind comes from", Domain: Safety, Kind: Gauge, Unit: Degree, Min: 0, Max: 360,
		Mean: Circular, Model: "AirQualityObserved.windDirection",
	},
	{
		Name: "wind_gust", Title: "Wind gust", Domain: Safety, Kind: Gauge, Unit: MetrePerSecond, Min: 0, Max: 120,
	},
	{
		Name: "wind_speed", Title: "Wind speed", Domain: Safety, Kind: Gauge, Unit: MetrePerSecond, Min: 0, Max: 120,
		Model: "AirQualityObserved.windSpeed",
	},
}
