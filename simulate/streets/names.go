package streets

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

var nouns = []string{
	"Acorn", "Alder", "Anchor", "Apple", "Arch", "Ash", "Aspen", "Badger", "Baker", "Barley", "Barrel", "Beacon", "Beech", "Bell",
	"Birch", "Blossom", "Bramble", "Brewer", "Brick", "Brook", "Canal", "Candle", "Carpenter", "Castle", "Cedar", "Chapel", "Cherry",
	"Chestnut", "Clay", "Clover", "Cooper", "Copper", "Coral", "Corn", "Crane", "Dairy", "Dove", "Elder", "Elm", "Falcon", "Fern",
	"Ferry", "Field", "Fig", "Fisher", "Flax", "Forge", "Fountain", "Fox", "Garden", "Garnet", "Glass", "Glover", "Goose", "Grain",
	"Granary", "Grove", "Hare", "Hawthorn", "Hazel", "Heather", "Heron", "Hop", "Ivy", "Juniper", "Kiln", "Kingfisher", "Lantern", "Larch",
	"Lark", "Laurel", "Lavender", "Lime", "Linden", "Lock", "Maple", "Market", "Mason", "Meadow", "Mill", "Mint", "Moss", "Mulberry",
	"Oak", "Olive", "Orchard", "Otter", "Paper", "Pear", "Pebble", "Pine", "Plum", "Poplar", "Potter", "Quarry", "Quince", "Raven",
	"Reed", "River", "Robin", "Rope", "Rose", "Rowan", "Rye", "Saddler", "Saffron", "Salt", "Sand", "Schoolhouse", "Silver", "Sparrow",
	"Spring", "Starling", "Station", "Stone", "Swan", "Tanner", "Thistle", "Tile", "Tower", "Vine", "Walnut", "Water", "Weaver",
	"Wheat", "Willow", "Windmill", "Wool", "Yarrow", "Yew",
}

var endings = []string{"Street", "Lane", "Avenue", "Row", "Walk", "Close", "Place", "Rise", "Hill", "Gate", "Yard", "Passage"}

var bridgeNames = []string{
	"Old Bridge", "Chain Bridge", "Lantern Bridge", "Swan Bridge", "Mill Bridge", "Harbour Bridge", "Corn Bridge", "Long Bridge",
	"Weir Bridge", "Heron Bridge", "Ferry Bridge", "Stone Bridge", "Iron Bridge", "Rope Bridge", "New Bridge", "Willow Bridge",
}

var parkNames = []string{
	"City Park", "Linden Gardens", "Rose Garden", "Observatory Park", "Long Meadow", "Orchard Green", "Swan Gardens", "Fountain Green",
	"Chestnut Park", "Larkfield",
}

// districtNames go round the city from the harbour, against the clock; each district has one of its names.
var districtNames = [8][]string{
	{"Harbour", "Old Harbour", "Ferry Quay"},
	{"Granary Field", "Warehouse Quarter", "Tanners' Field"},
	{"Northgate", "North Hill", "Upper Town"},
	{"Mill Quarter", "Windmill Hill", "Station Quarter"},
	{"Weirside", "Westbank", "Waterworks"},
	{"Orchard Hill", "Garden Suburb", "Vineyards"},
	{"Southbank", "Southgate", "Lower Town"},
	{"Docklands", "Shipyard", "New Docks"},
}

// nameDistricts chooses them. It does not draw from the plan's own numbers, which shape the streets.
func nameDistricts(seed uint64) (names [8]string) {
	r := rand.New(rand.NewPCG(seed, 8))
	for i, choice := range districtNames {
		names[i] = choice[r.IntN(len(choice))]
	}
	return names
}

const oldTown = "Old Town"

// namer gives every street another name, in an order that depends on the seed.
type namer struct {
	order []int
	next  int
}

func newNamer(r *rand.Rand) *namer { return &namer{order: r.Perm(len(nouns))} }

// street returns the next name; after about 1,500 it begins to number.
func (n *namer) street() string {
	i := n.next
	n.next++
	noun := nouns[n.order[i%len(nouns)]]
	round := i / len(nouns)
	ending := endings[(n.order[i%len(nouns)]+round)%len(endings)]
	if round >= len(endings) {
		return fmt.Sprintf("%s %s %d", noun, ending, round/len(endings)+1)
	}
	return noun + " " + ending
}

// Slug turns a title into an id: a-z, 0-9 and single '-', at most 48 characters.
func Slug(title string) string {
	var b strings.Builder
	gap := false
	for _, r := range strings.ToLower(title) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			if gap && b.Len() > 0 {
				b.WriteByte('-')
			}
			gap = false
			b.WriteRune(r)
		case r != '\'':
			gap = true
		}
		if b.Len() >= 48 {
			break
		}
	}
	return b.String()
}
