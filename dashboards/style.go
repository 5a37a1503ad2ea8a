package dashboards

// The colours of Okabe and Ito, which people with any colour vision tell apart.
const (
	orange     = "#E69F00"
	skyBlue    = "#56B4E9"
	green      = "#009E73"
	yellow     = "#F0E442"
	blue       = "#0072B2"
	vermillion = "#D55E00"
	purple     = "#CC79A7"
	grey       = "#999999"
)

const (
	// ink is the colour of text, dark or light as the theme is: for lines of which nobody knows beforehand how many there
	// will be, and of which the pointer names each.
	ink = "text"
	// lowToHigh colours values from blue over yellow to red, which keeps its order for every colour vision.
	lowToHigh = "continuous-BlYlRd"
)

// band begins at a value, in the quantity's unit. The first one of a list begins at minus infinity.
type band struct {
	from  float64
	color string
}

// The levels of the European Air Quality Index by hourly mean, in µg/m³: good, fair, moderate, poor, very poor, extremely poor.
// Source: European Environment Agency, European Air Quality Index, https://airindex.eea.europa.eu, the bands of its revision of
// 2024/2025 (ETC HE Report 2024/17): of hourly means for all pollutants, with good and fair ending where the year's and the
// day's guideline of WHO do. Before, good ended at 10 µg/m³ of PM2.5, 20 of PM10, 40 of NO2 and 50 of O3; many programs still
// use these.
var (
	indexNO2  = airBands(10, 25, 60, 100, 150)
	indexO3   = airBands(60, 100, 120, 160, 180)
	indexPM10 = airBands(15, 45, 120, 195, 270)
	indexPM25 = airBands(5, 15, 50, 90, 140)
)

func airBands(fair, moderate, poor, veryPoor, extremelyPoor float64) []band {
	return []band{{0, blue}, {fair, green}, {moderate, yellow}, {poor, orange}, {veryPoor, vermillion}, {extremelyPoor, purple}}
}

// Limits that the law or WHO sets, for descriptions. Law: Directive (EU) 2024/2881, annex I: section 1, table 1, to be met by
// 1 January 2030 (NO2: 200 in no more than 3 hours of a year; days: no more than 18 of a year), and section 4 for the information and
// alert thresholds of O3. WHO: Global air quality guidelines, 2021, table 0.1.
const (
	lawNO2  = "Limits: 200 µg/m³ in an hour, 50 in a day (EU, from 2030). WHO advises 25 in a day."
	lawO3   = "EU: the public is informed at 180 µg/m³ in an hour and warned at 240. WHO advises 100 over 8 hours."
	lawPM10 = "Limit: 45 µg/m³ in a day (EU, from 2030), which is what WHO advises as well."
	lawPM25 = "Limit: 25 µg/m³ in a day (EU, from 2030). WHO advises 15 in a day."
)

var (
	// noiseBands are those in which the Environmental Noise Directive (2002/49/EC, annex VI) counts people: from 55, 65 and 75 dB(A).
	// WHO (Environmental noise guidelines, 2018) advises to keep road noise below 53 dB(A) over day, evening and night.
	noiseBands = []band{{0, blue}, {55, yellow}, {65, orange}, {75, vermillion}}
	// voltageBands are 230 V ± 10 % (EN 50160, 4.2.2).
	voltageBands = []band{{0, vermillion}, {207, green}, {253, vermillion}}
	// frequencyBands are 50 Hz ± 1 % (EN 50160, 4.2.1).
	frequencyBands = []band{{0, vermillion}, {49.5, green}, {50.5, vermillion}}
	// powerFactorBands: many network operators bill reactive energy below a power factor of 0.9.
	powerFactorBands = []band{{-1, orange}, {0.9, green}}
	// riverBands are the alert levels of the demonstration city's river, in metres above the gauge's zero: each gauge has levels
	// of its own, which are set here in the place of these.
	riverBands = []band{{0, blue}, {2.6, yellow}, {3.2, orange}, {3.8, vermillion}}
	// crowdBands are for a square of some 400 m²: beyond two people on a square metre walking gets slow (J. J. Fruin, Pedestrian
	// planning and design, 1971, level of service E).
	crowdBands = []band{{0, blue}, {400, yellow}, {800, vermillion}}
	// completenessBands: 85 % is the data coverage that Directive (EU) 2024/2881, annex V, asks of fixed measurements for a mean of
	// the year.
	completenessBands = []band{{0, vermillion}, {0.85, orange}, {0.98, green}}
	// occupancyBands: between a fifth and a third of the time occupied, traffic turns from flowing to standing.
	occupancyBands = []band{{0, blue}, {0.2, yellow}, {0.33, vermillion}}
	// speedBands are for streets with 50 km/h, as parts of the free speed: 30, 50 and 67 % are where the levels of service F, D and C
	// end (Highway Capacity Manual 2010, exhibit 16-4).
	speedBands = []band{{0, vermillion}, {15, orange}, {25, yellow}, {33, blue}}
	// fullBands are for what fills: containers, car parks, the spool.
	fullBands = []band{{0, blue}, {0.75, yellow}, {0.9, vermillion}}
	// chargeBands are for batteries, by their part that is left: below a fifth one plans a visit, below a tenth it is urgent.
	chargeBands = []band{{0, vermillion}, {0.1, orange}, {0.2, green}}
	// signalBands are for long-range radio, in dBm: a rule of thumb and no standard, for how weak a signal may be depends on the
	// rate at which a device sends.
	signalBands = []band{{-200, vermillion}, {-120, orange}, {-110, green}}
	// noneBands are for what should not be there at all.
	noneBands = []band{{0, green}, {1, orange}}
	// plainBands are for what is neither good nor bad.
	plainBands = []band{{0, skyBlue}}
)

// lowest is below all that is measured.
const lowest = -1_000_000_000

// thresholds colours values by bands. What has no value is grey: Grafana takes it for minus infinity.
func thresholds(bands []band) *Thresholds {
	steps := make([]Step, 0, len(bands)+1)
	steps = append(steps, Step{Color: grey})
	for i, b := range bands {
		if i == 0 {
			b.from = lowest
		}
		steps = append(steps, Step{b.color, &b.from})
	}
	return &Thresholds{Mode: "absolute", Steps: steps}
}

// areas are bands without one for what has no value, for charts, in which it leaves a gap.
func areas(bands []band) *Thresholds {
	steps := make([]Step, len(bands))
	for i, b := range bands {
		steps[i].Color = b.color
		if i > 0 {
			steps[i].Value = &b.from
		}
	}
	return &Thresholds{Mode: "absolute", Steps: steps}
}
