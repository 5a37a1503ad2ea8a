package city

import (
	"time"
)

// kind is a type of device.
type kind struct {
	prefix string // of the sensor's id
	title  string // for people, after the title of the site
	ground ground
	share  float64 // of all sensors; they add up to 1
	// cadence is chosen from these.
	cadence []time.Duration
	// quantities are names of the catalogue; read puts values by their places here.
	quantities []string
	read       func(*view, *output)
}

// kinds is the list of all devices.
func kinds() []kind {
	const s = time.Second
	return []kind{
		{"lane", "lane detector", crossroads, 0.25, []time.Duration{20 * s, 30 * s, 60 * s}, []string{"intensity", "speed", "occupancy"}, readLanes},
		{"cabinet", "street light cabinet", kerb, 0.13, []time.Duration{30 * s, 60 * s}, []string{"voltage", "current", "active_power", "power_factor", "energy_import", "frequency"}, readCabinet},
		{"air", "air quality station", corner, 0.09, []time.Duration{60 * s}, []string{"no2", "o3", "pm10", "pm25", "temperature", "relative_humidity"}, readAir},
		{"noise", "noise meter", corner, 0.07, []time.Duration{10 * s, 30 * s}, []string{"laeq", "lamax", "la90", "battery_level", "signal_strength"}, readNoise},
		{"home", "apartment house meter", kerb, 0.09, []time.Duration{30 * s, 60 * s}, []string{"active_power", "voltage", "current", "power_factor", "energy_import"}, readHome},
		{"lamp", "street lamp", kerb, 0.06, []time.Duration{60 * s}, []string{"power_state", "illuminance_level", "lamp_status", "active_power"}, readLamp},
		{"signal", "traffic signal", crossroads, 0.05, []time.Duration{10 * s}, []string{"signal_phase"}, readSignal},
		{"cycle", "bicycle counter", corner, 0.04, []time.Duration{60 * s}, []string{"bicycles"}, readBicycles},
		{"parking", "car park", corner, 0.04, []time.Duration{60 * s}, []string{"total_spots", "occupied_spots", "available_spots", "battery_level", "signal_strength"}, readParking},
		{"route", "travel time to the centre", crossroads, 0.03, []time.Duration{60 * s}, []string{"travel_time", "congested"}, readRoute},
		{"office", "office building meter", kerb, 0.03, []time.Duration{30 * s}, []string{"active_power", "voltage", "current", "power_factor", "energy_import"}, readOffice},
		{"charger", "charging point", corner, 0.03, []time.Duration{20 * s}, []string{"active_power", "voltage", "current", "power_factor"}, readCharger},
		{"solar", "solar roof", kerb, 0.02, []time.Duration{30 * s}, []string{"active_power", "irradiance", "energy_export"}, readSolar},
		{"crowd", "people counter", square, 0.02, []time.Duration{30 * s}, []string{"people_present", "people_count", "crowd_speed"}, readCrowd},
		{"weather", "weather station", green, 0.01, []time.Duration{60 * s}, []string{"temperature", "relative_humidity", "pressure", "wind_speed", "wind_direction", "rain_rate"}, readWeather},
		{"gauge", "river gauge", bank, 0.015, []time.Duration{60 * s}, []string{"water_level", "water_temperature", "water_flow", "battery_level", "signal_strength"}, readGauge},
		{"waste", "waste container", kerb, 0.015, []time.Duration{60 * s}, []string{"filling_level", "container_status", "battery_level", "signal_strength"}, readWaste},
		{"bridge", "edge bridge", kerb, 0.01, []time.Duration{60 * s}, []string{"uptime", "device_temperature", "disk_used", "backlog", "signal_strength"}, readBridge},
	}
}
