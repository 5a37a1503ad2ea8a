package scan_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/telemetry"
	"github.com/lamppost-city/lamppost/telemetry/internal/scan"
)

var (
	strict = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)
	zone   = regexp.MustCompile(`z$`)
)

// checkTime holds RFC3339 to package time: what it reads, time.Parse reads alike, and what is strictly RFC 3339 it reads.
func checkTime(t *testing.T, text string) {
	t.Helper()
	got, ok := scan.RFC3339([]byte(text))
	usual := text
	if len(usual) > 10 && strings.IndexByte("t ", usual[10]) >= 0 {
		usual = usual[:10] + "T" + usual[11:]
	}
	usual = zone.ReplaceAllString(usual, "Z")
	var leap time.Duration
	if len(usual) > 19 && usual[17:19] == "60" {
		usual = usual[:17] + "59" + usual[19:]
		leap = time.Second
	}
	want, err := time.Parse(time.RFC3339Nano, usual)
	want = want.Add(leap).UTC()
	if ok && (err != nil || got != telemetry.MilliOf(want)) {
		t.Errorf("%q is %v, want %v, %v", text, got.Time(), want, err)
	}
	if ok && leap > 0 && (want.Hour() != 0 || want.Minute() != 0 || want.Second() != 0) {
		t.Errorf("%q has a leap second that does not end a day", text)
	}
	if !ok && err == nil && strict.MatchString(text) && want.Year() >= 1 && want.Year() <= 9999 && leap == 0 {
		t.Errorf("%q is not read, want %v", text, want)
	}
}

var times = []string{
	"2026-03-01T12:00:00Z", "2026-03-01T12:00:00.250Z", "2026-03-01T12:00:00.2509999Z", "2026-03-01t12:00:00z",
	"2026-03-01 12:00:00+01:00", "2026-03-01T12:00:00-23:59", "2024-02-29T00:00:00Z", "1900-02-28T23:59:59.999Z",
	"2000-02-29T00:00:00Z", "1969-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z",
	"2016-12-31T23:59:60Z", "2017-01-01T00:59:60+01:00", "2026-03-01T12:00:00,5Z",
	"2026-03-01T12:00:00", "2026-03-01", "2026-03-01T12:00Z", "2023-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
	"2026-00-01T00:00:00Z", "2026-04-31T00:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01T12:60:00Z", "2026-03-01T12:00:60Z",
	"2026-03-01T12:00:00.Z", "2026-03-01T12:00:00+24:00", "2026-03-01T12:00:00+01", "2026-03-01T12:00:00+0100", "0000-01-01T00:00:00Z",
	"2026-03-01T12:00:00ZZ", "2026-03-01T12:00:00.5", "01/03/2026 12:00:00Z....", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00",
	"2026-03-01T12:00:00Z/2026-03-01T13:00:00Z", "17/02/2016T11:43:45CET", "2026-0:-01T12:00:00Z",
}

func TestTimesAreThoseOfPackageTime(t *testing.T) {
	for i, text := range times {
		checkTime(t, text)
		if _, ok := scan.RFC3339([]byte(text)); ok != (i < 15) {
			t.Errorf("%q is read: %t", text, ok)
		}
	}
	for day := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 10000; day = day.AddDate(0, 0, 29) {
		checkTime(t, day.Format(time.RFC3339))
	}
}

func FuzzTime(f *testing.F) {
	for _, text := range times {
		f.Add(text)
	}
	f.Fuzz(checkTime)
}

func TestUnixTimeTellsItsScale(t *testing.T) {
	const want = 1772366400250
	for text, want := range map[string]telemetry.UnixMilli{
		"1772366400":          1772366400000,
		"1772366400.25":       want,
		"1772366400.2504":     want,
		"1772366400.123":      1772366400123,
		"1.77236640025e9":     want,
		"1772366400250":       want,
		"1772366400250999":    want,
		"1772366400250999999": want,
		"1.77236640025e12":    want,
		"1.77236640025e15":    want,
		"1.77236640025e18":    want,
		"0":                   0,
		"-86400":              -86400000,
		"-0.001":              -1,
		"99999999999":         99999999999000,
		"100000000000":        100000000000,
		"4102444800":          4102444800000,
		"9223372036854775807": 9223372036854,
	} {
		var v scan.Value
		scan.ParseNumber([]byte(text), &v)
		if got, ok := scan.Unix(&v); got != want || !ok {
			t.Errorf("%s is %d, %t; want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"1e300", "-7e13", "-1e300", "1e24"} {
		var v scan.Value
		scan.ParseNumber([]byte(text), &v)
		if got, ok := scan.Unix(&v); ok {
			t.Errorf("%s is %d", text, got)
		}
	}
}

func BenchmarkRFC3339(b *testing.B) {
	text := []byte("2026-03-01T12:00:00.250Z")
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		scan.RFC3339(text)
	}
}
