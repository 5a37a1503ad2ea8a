package registry

import "strings"

// A spreadsheet runs a cell that begins with one of these as a formula (OWASP, CSV Injection). Whoever may give a sensor
// a title must not thereby run something on the planner's computer.
const formulaStarts = "=+-@＝＋－＠"

// Titles are the only free text in a CSV file, so only they need this. A comma or semicolon in a title is as dangerous as
// its beginning: a spreadsheet that expects the other separator begins a cell there, whatever is quoted.
//
// So every part of a title, between these two characters, that begins like a formula gets an apostrophe before it, the
// spreadsheets' own mark of text. To be exact in both directions, a part that only looks as if it had got one gets one
// as well. Tabs and line breaks, which OWASP lists too, cannot be in a title.

// disarm makes a title safe to be opened in a spreadsheet; rearm undoes it.
func disarm(title string) string {
	return eachPart(title, func(part string) string {
		if beginsFormula(part) || rearmPart(part) != part {
			return "'" + part
		}
		return part
	})
}

// rearm expects a title out of a CSV file, disarmed or written by a person.
func rearm(title string) string { return eachPart(title, rearmPart) }

func rearmPart(part string) string {
	rest, marked := strings.CutPrefix(part, "'")
	if marked && (beginsFormula(rest) || strings.HasPrefix(rest, "'")) {
		return rest
	}
	return part
}

// beginsFormula looks past spaces, as some spreadsheets do.
func beginsFormula(part string) bool {
	for _, first := range strings.TrimLeft(part, " \u00a0") {
		return strings.ContainsRune(formulaStarts, first)
	}
	return false
}

func eachPart(title string, change func(string) string) string {
	var changed strings.Builder
	for {
		at := strings.IndexAny(title, ",;")
		if at < 0 {
			changed.WriteString(change(title))
			return changed.String()
		}
		changed.WriteString(change(title[:at]))
		changed.WriteByte(title[at])
		title = title[at+1:]
	}
}
