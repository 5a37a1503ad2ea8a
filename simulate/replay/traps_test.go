package replay_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// write puts a recording and its mapping into a folder of the test's.
func write(t *testing.T, mapping, text string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"street.csv": text, "street.mapping.yml": mapping} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const common = `
time: {columns: [when], layout: "2006-01-02 15:04"}
sensors: [{id: street-1, title: Street 1, site: street, cadence: 30m}]
`

// byHand is a recording written for a test, and what must come of it: time and value of each reading.
type byHand struct{ name, mapping, text, want string }

func clockChanges() []byHand {
	return []byHand{
		{
			"the hour that comes twice is two hours, by the order of the rows", common + `
zone: Europe/Paris
columns: [{column: v, quantity: temperature}]`,
			"when,v\n2004-10-31 01:30,1\n2004-10-31 02:00,2\n2004-10-31 02:30,3\n2004-10-31 02:00,4\n2004-10-31 02:30,5\n2004-10-31 03:00,6\n",
			"2004-10-30T23:30:00Z 1|2004-10-31T00:00:00Z 2|2004-10-31T00:30:00Z 3|2004-10-31T01:00:00Z 4|2004-10-31T01:30:00Z 5|2004-10-31T02:00:00Z 6",
		},
		{
			"also where the minutes of the second pass are others", common + `
zone: America/Chicago
columns: [{column: v, quantity: temperature}]`,
			"when,v\n2015-11-01 00:52,1\n2015-11-01 01:22,2\n2015-11-01 01:52,3\n2015-11-01 01:21,4\n2015-11-01 01:53,5\n2015-11-01 02:21,6\n",
			"2015-11-01T05:52:00Z 1|2015-11-01T06:22:00Z 2|2015-11-01T06:52:00Z 3|2015-11-01T07:21:00Z 4|2015-11-01T07:53:00Z 5|2015-11-01T08:21:00Z 6",
		},
		{
			"one row in the hour that comes twice is the first of them", common + `
zone: Europe/Rome
columns: [{column: v, quantity: temperature}]`,
			"when,v\n2004-10-31 01:00,1\n2004-10-31 02:00,2\n2004-10-31 03:00,3\n",
			"2004-10-30T23:00:00Z 1|2004-10-31T00:00:00Z 2|2004-10-31T02:00:00Z 3",
		},
		{
			"two autumns in one recording are told apart", common + `
zone: America/Los_Angeles
columns: [{column: v, quantity: temperature}]`,
			"when,v\n2012-11-04 01:00,1\n2012-11-04 01:00,2\n2013-11-03 01:00,3\n2013-11-03 01:00,4\n",
			"2012-11-04T08:00:00Z 1|2012-11-04T09:00:00Z 2|2013-11-03T08:00:00Z 3|2013-11-03T09:00:00Z 4",
		},
		{
			"a row in the hour that does not exist has the offset of before", common + `
zone: Europe/Paris
columns: [{column: v, quantity: temperature}]`,
			"when,v\n2005-03-27 01:59,1\n2005-03-27 02:30,2\n2005-03-27 03:45,3\n",
			"2005-03-27T00:59:00Z 1|2005-03-27T01:30:00Z 2|2005-03-27T01:45:00Z 3",
		},
		{
			"a fixed offset has no changes", common + `
zone: "+01:00"
columns: [{column: v, quantity: temperature}]`,
			"when,v\n2004-10-31 02:00,1\n2005-03-27 02:30,2\n2005-07-01 02:30,3\n",
			"2004-10-31T01:00:00Z 1|2005-03-27T01:30:00Z 2|2005-07-01T01:30:00Z 3",
		},
	}
}

func otherTraps() []byHand {
	return []byHand{
		{
			"of two rows of one time the last value counts, and an empty one does not", common + `
zone: Europe/Paris
columns: [{column: v, quantity: temperature}, {column: w, quantity: pressure}]`,
			"when,v,w\n2005-06-01 12:00,1,1000\n2005-06-01 12:00,2,\n2005-06-01 12:30,3,\n",
			"2005-06-01T10:00:00Z 2|2005-06-01T10:00:00Z 1000|2005-06-01T10:30:00Z 3",
		},
		{
			"a repeated row moves on to an empty place, and only there", common + `
zone: Europe/Paris
duplicates: next
step: 30m
columns: [{column: v, quantity: temperature}]`,
			"when,v\n2005-06-01 12:00,1\n2005-06-01 12:00,2\n2005-06-01 12:30,\n2005-06-01 13:00,3\n2005-06-01 13:00,4\n2005-06-01 13:30,5\n",
			"2005-06-01T10:00:00Z 1|2005-06-01T10:30:00Z 2|2005-06-01T11:00:00Z 4|2005-06-01T11:30:00Z 5",
		},
		{
			"rows out of order are sent in order", common + `
zone: Europe/Paris
columns: [{column: v, quantity: temperature}]`,
			"when,v\n2005-06-01 13:00,2\n2005-06-01 12:00,1\n",
			"2005-06-01T10:00:00Z 1|2005-06-01T11:00:00Z 2",
		},
		{
			"decimal comma, several markers, byte order mark, spaces, a short row", common + `
zone: Europe/Paris
separator: ";"
decimal: ","
missing: ["-200", "n/a", "?"]
columns: [{column: v, quantity: temperature}, {column: w, quantity: relative_humidity, unit: "%"}]`,
			"\ufeffwhen;v;w\n2005-06-01 12:00; 20,5 ;48,9\n2005-06-01 12:30;-200,0;n/a\n2005-06-01 13:00;?;\n2005-06-01 13:30;-19,5\n",
			"2005-06-01T10:00:00Z 20.5|2005-06-01T10:00:00Z 0.489|2005-06-01T11:30:00Z -19.5",
		},
		{
			"noon and midnight of the 12-hour clock", `
time: {columns: [day, hour], layout: "02/01/2006 3:04:05 PM"}
sensors: [{id: street-1, title: Street 1, site: street}]
zone: Europe/Paris
columns: [{column: v, quantity: temperature}]`,
			"day,hour,v\n01/06/2005,12:00:00 AM,1\n01/06/2005,12:00:00 PM,2\n01/06/2005,11:59:59 PM,3\n",
			"2005-05-31T22:00:00Z 1|2005-06-01T10:00:00Z 2|2005-06-01T21:59:59Z 3",
		},
		{
			"scale comes before the unit", common + `
zone: Europe/Paris
columns: [{column: v, quantity: temperature, scale: 0.1}, {column: w, quantity: active_power, unit: kW, scale: 10}]`,
			"when,v,w\n2005-06-01 12:00,205,1.5\n",
			"2005-06-01T10:00:00Z 20.5|2005-06-01T10:00:00Z 15000",
		},
	}
}

func TestClockChangesAndOtherTrapsByHand(t *testing.T) {
	for _, c := range append(clockChanges(), otherTraps()...) {
		t.Run(c.name, func(t *testing.T) {
			readings, report := replayed(t, write(t, c.mapping, c.text))
			var got []string
			for _, r := range readings {
				got = append(got, fmt.Sprintf("%s %g", r.Measured.Time().Format(time.RFC3339), r.Value))
			}
			if diff := cmp.Diff(strings.Split(c.want, "|"), got); diff != "" {
				t.Error(diff)
			}
			wantReplaced := 0
			if strings.Contains(c.name, "counts") || strings.Contains(c.name, "only there") {
				wantReplaced = 1
			}
			if report.Replaced != wantReplaced {
				t.Errorf("%d values replaced, want %d", report.Replaced, wantReplaced)
			}
		})
	}
}
