package query

import (
	"slices"

	"github.com/lamppost-city/lamppost/telemetry"
)

// FiguresInTable is how many figures the table has.
func FiguresInTable() int { return len(figures()) }

// StatesNotInCatalogue lists states of the table that the catalogue does not have.
func StatesNotInCatalogue() []string {
	var missing []string
	for _, f := range figures() {
		q, ok := telemetry.QuantityByName(f.quantity)
		for _, state := range f.states {
			if !ok || !slices.Contains(q.States, state) {
				missing = append(missing, f.quantity+" "+state)
			}
		}
	}
	return missing
}
