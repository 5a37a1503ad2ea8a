package telemetry

import "slices"

// catalogue is every quantity, ordered by domain, then name; a QuantityID is a place in it.
var (
	catalogue       = numbered(slices.Concat(trafficQuantities, energyQuantities, safetyQuantities))
	catalogueByName = byName(catalogue)
)

func numbered(all []Quantity) []Quantity {
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
