package influx

import "strings"

// QuoteIdent writes name as an identifier of InfluxQL (a measurement, a tag key, a field key), whatever is in it.
func QuoteIdent(name string) string { return quote(name, '"') }

// QuoteString writes text as a string literal of InfluxQL (a tag's value, a time), whatever is in it.
func QuoteString(text string) string { return quote(text, '\'') }

// quote knows the three escapes of InfluxQL: a backslash, the quote itself and a line break. Everything else, a NUL
// included, stands for itself between quotes.
func quote(text string, mark byte) string {
	var b strings.Builder
	b.Grow(len(text) + 2)
	b.WriteByte(mark)
	for i := range len(text) {
		switch c := text[i]; c {
		case '\\', mark:
			b.WriteByte('\\')
			b.WriteByte(c)
		case '\n':
			b.WriteString(`\n`)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte(mark)
	return b.String()
}
