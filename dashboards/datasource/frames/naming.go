package frames

import (
	"cmp"
	"slices"
	"strings"

	"github.com/lamppost-city/lamppost/telemetry"
)

// Names gives places their names for people.
type Names struct {
	Sites, Districts map[string]string
}

// Naming says what the names of lines have to tell, by what was asked and not by what came: a name must not change with a
// filter, or legends and overrides would.
type Naming struct {
	// Quantity is said where more than one may come.
	Quantity bool
	// Sensor and Channel are said where lines are not combined and several may come; Channel also where several came.
	Sensor, Channel bool
	// Aggregate is how the readings of a step were combined, where that was chosen.
	Aggregate string
	// Ways is true where other lines of the panel are combined in another way.
	Ways bool
	// Live is true where single readings go on with lines of steps: counts are combined by their mean then.
	Live bool
}

// see adds what differs among lines that came.
func (n *Naming) see(lines []Line) {
	for i := range lines {
		a, b := &lines[0], &lines[i]
		n.Quantity = n.Quantity || a.Quantity != b.Quantity
		n.Sensor = n.Sensor || a.Sensor != b.Sensor
		n.Channel = n.Channel || a.Channel != b.Channel
	}
}

// lineName is what a legend shows: the places and channels that lines are kept apart by, the quantity where it has to be said
// or nothing else is, how readings were combined where that is not what fits the quantity, and when.
func (form HistoryForm) lineName(line *Line) string {
	title := cmp.Or(line.Title, form.Catalogue.title(line.Quantity))
	text := strings.Join(form.where(line), " ")
	quantity := form.Naming.Quantity || text == ""
	switch {
	case text == "":
		text = title
	case quantity:
		text = title + ", " + text
	case strings.HasPrefix(text, channelWord):
		text = strings.ToUpper(channelWord[:1]) + text[1:]
	}
	natural := form.Catalogue.natural(line.Quantity)
	agg := form.Naming.Aggregate
	switch {
	case form.Naming.Live && agg == "" && natural == "sum":
		text += ", mean"
	case agg != "" && agg != natural && (quantity || form.Naming.Ways):
		text += ", " + aggregateWords(agg)
	}
	if line.Compare != "" {
		text += ", a " + line.Compare + " before"
	}
	return text
}

// where is the place and channel of a line, in the parts that it was kept apart by.
func (form HistoryForm) where(line *Line) (where []string) {
	by := func(label string) bool { return slices.Contains(form.Group, label) }
	switch { // a sensor stands at one site, and a site is in one district
	case by("sensor"), len(form.Group) == 0 && form.Naming.Sensor:
		if line.Sensor != "" {
			where = append(where, line.Sensor)
		}
	case by("site"):
		where = append(where, cmp.Or(form.Names.Sites[line.Site], line.Site, "no site"))
	case by("district"):
		where = append(where, cmp.Or(form.Names.Districts[line.District], line.District, "no district"))
	}
	if line.Channel != "" && (by("channel") || len(form.Group) == 0 && form.Naming.Channel) {
		where = append(where, channelName(line.Channel))
	}
	return where
}

// channelWord stands before channels that are mere numbers.
const channelWord = "channel "

// channelName is a channel in words: a bare number says nothing in a legend.
func channelName(channel string) string {
	if strings.Trim(channel, "0123456789") == "" {
		return channelWord + channel
	}
	return channel
}

// Counts says whether a quantity is a number of events since the reading before, which are summed up where nobody chose.
func (c Catalogue) Counts(quantity string) bool { return c.natural(quantity) == "sum" }

// natural is how readings of a quantity are combined where nobody chose.
func (c Catalogue) natural(quantity string) string {
	switch c[quantity].Kind {
	case telemetry.Count.String():
		return "sum"
	case telemetry.Counter.String():
		return "max"
	}
	return "mean"
}

// aggregateWords is how readings were combined, for people.
func aggregateWords(agg string) string {
	switch agg {
	case "min":
		return "minimum"
	case "max":
		return "maximum"
	case "count":
		return "number of readings"
	case "p50":
		return "median"
	case "p95":
		return "95th percentile"
	}
	return agg
}
