package telemetry

// Domain is the part of city life that a quantity belongs to, and the InfluxDB measurement that it is stored in.
type Domain uint8

// The domains.
const (
	Traffic Domain = iota + 1
	Energy
	// Safety is air, noise, water, crowd and light.
	Safety
)

// Domains lists every domain.
func Domains() []Domain { return []Domain{Traffic, Energy, Safety} }

// String returns the domain's name in lower case.
func (d Domain) String() string {
	switch d {
	case Traffic:
		return "traffic"
	case Energy:
		return "energy"
	case Safety:
		return "safety"
	}
	return "unknown"
}

// ParseDomain finds a domain by its name.
func ParseDomain(name string) (Domain, bool) {
	for _, d := range Domains() {
		if d.String() == name {
			return d, true
		}
	}
	return 0, false
}

// Kind says how values of a quantity can be combined.
type Kind uint8

// The kinds.
const (
	// Gauge is a level at an instant; it can be averaged.
	Gauge Kind = iota + 1
	// Counter only grows (until it wraps or restarts); its differences mean something.
	Counter
	// Count is how many there were in the period before the measured time; it can be summed.
	Count
	// State is one of a few named states; its value is the state's index in Quantity.States.
	State
)

// String returns the kind's name in lower case.
func (k Kind) String() string {
	switch k {
	case Gauge:
		return "gauge"
	case Counter:
		return "counter"
	case Count:
		return "count"
	case State:
		return "state"
	}
	return "unknown"
}

// Mean is a way to make one value of several.
type Mean uint8

// The means.
const (
	// Arithmetic is the sum by the number.
	Arithmetic Mean = iota
	// Energetic is that of equivalent levels: 10 lg of the mean of 10^(level/10), for it is the energy that adds up (ISO 1996-1,
	// section 3.1.7).
	Energetic
	// Circular is that of directions in degrees: the direction of the mean of the unit vectors, from 0 up to 360, so that 350 and
	// 10 make 0.
	Circular
)

// String returns the mean's name, as the API has it.
func (m Mean) String() string {
	switch m {
	case Energetic:
		return "energetic"
	case Circular:
		return "circular"
	}
	return "arithmetic"
}

// QuantityID is a quantity's place in the catalogue of this process. It is not stable over versions: names are what is
// stored and sent.
type QuantityID uint16

// Quantity is an entry of the catalogue: something that sensors measure.
type Quantity struct {
	ID QuantityID
	// Name is in snake_case; it is the field key in the store and the word on the wire.
	Name string
	// Title is for people, in English, without the unit.
	Title  string
	Domain Domain
	// Device says that it tells of the device itself, its supply, reception, store or place, whatever the device is for: a
	// noise meter with a battery is not of the energy domain because of it.
	Device bool
	Kind   Kind
	// Unit is the one unit in which values are kept.
	Unit Unit
	// Min and Max bound the sane range, both included; a value outside is refused.
	Min, Max float64
	// States names the values 0, 1, 2 ... of a State; nil for other kinds.
	States []string
	// MolarMass is in g/mol, for gases whose volume fraction converts to mass per volume; 0 for everything else.
	MolarMass float64
	// Mean is how several values become one that stands for all of them.
	Mean Mean
	// Model is the attribute in the FIWARE Smart Data Models as "Model.attribute"; "" where none exists.
	Model string
}

// Quantity returns the catalogue's entry. It panics for an id that did not come from the catalogue.
func (id QuantityID) Quantity() *Quantity { return &catalogue[id] }

// String returns the quantity's name.
func (id QuantityID) String() string { return catalogue[id].Name }

// Quantities returns the whole catalogue, ordered by domain, then name. The caller must not change it.
func Quantities() []Quantity { return catalogue }

// StateIndex finds a state by its name; false for a name that the quantity does not have, and for every other kind.
func (q *Quantity) StateIndex(name string) (int, bool) {
	for i, state := range q.States {
		if state == name {
			return i, true
		}
	}
	return 0, false
}

// QuantityByName finds a quantity by its name.
func QuantityByName(name string) (*Quantity, bool) {
	q, ok := catalogueByName[name]
	return q, ok
}
