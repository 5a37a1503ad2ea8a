package scan

// Table remembers what texts mean, so that a text that came before costs a look-up and no allocation. When it is full it
// forgets all and starts anew: a flood of new names costs speed, not memory. It is not safe for concurrent use.
type Table[V any] struct {
	known map[string]V
	max   int
}

// NewTable makes a table of at most maxEntries texts.
func NewTable[V any](maxEntries int) *Table[V] {
	return &Table[V]{known: map[string]V{}, max: maxEntries}
}

// Get looks a text up.
func (t *Table[V]) Get(text []byte) (V, bool) {
	v, ok := t.known[string(text)]
	return v, ok
}

// Find is Get for a text that is a string already.
func (t *Table[V]) Find(text string) (V, bool) {
	v, ok := t.known[text]
	return v, ok
}

// Put remembers what the text means.
func (t *Table[V]) Put(text string, v V) {
	if len(t.known) >= t.max {
		clear(t.known)
	}
	t.known[text] = v
}

// Len is how many texts are known.
func (t *Table[V]) Len() int { return len(t.known) }
