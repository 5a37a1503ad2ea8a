package query

import (
	"errors"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/store"
)

// Refusal is what an error of the store means to whoever asked.
type Refusal struct {
	// Kind says what can be done.
	Kind RefusalKind
	// Param is the parameter of a history that passes the limit most likely, by its name in the API; "" unless Kind is
	// TooMuch.
	Param string
	// Message names the limit and says what to do; the store's own words are in it. "" unless Kind is TooMuch.
	Message string
	// RetryAfter is how long the store asked to be left alone; 0 where it did not.
	RetryAfter time.Duration
}

// RefusalKind says what can be done about a refusal.
type RefusalKind uint8

// The kinds.
const (
	// Away: the same question may be answered later, once the store can, or a person has mended its configuration.
	Away RefusalKind = iota + 1
	// TooMuch: the question will never be answered as it is; a smaller one may.
	TooMuch
	// TooLong: the store gave up because of the time that it took.
	TooLong
)

// limit is one of the store's own.
type limit struct{ words, param, message string }

// limits are those of InfluxDB 1.8, 2.x and 3 and of our client of it, by words in their errors.
func limits() []limit {
	return []limit{
		{"max-select-bucket", "step", "makes more steps than the store allows in one answer; use a longer step, or a shorter range"},
		{"max-select-series", "sensor", "reaches more series than the store allows in one answer; name fewer sensors, or use a shorter range"},
		{"max-select-point", "from", "reaches more readings than the store allows in one answer; use a shorter range, or name fewer sensors"},
		{"max_response_bytes", "from", "has a longer answer than is taken from the store; use a shorter range, or a longer step"},
		{"file limit", "from", "reaches more files than the store allows in one answer; use a shorter range"},
	}
}

// RefusalOf reads the store's part of an error; false where there is none.
func RefusalOf(err error) (Refusal, bool) {
	var refused *store.Error
	if !errors.As(err, &refused) {
		return Refusal{}, false
	}
	said := refused.Message
	if said == "" && refused.Err != nil {
		said = refused.Err.Error()
	}
	switch {
	case strings.Contains(said, "query-timeout limit exceeded"):
		return Refusal{Kind: TooLong}, true
	case refused.Kind == store.TooLarge:
		return Refusal{Kind: TooMuch, Param: "sensor", Message: "makes a longer question than the store takes; name fewer sensors, or fewer quantities"}, true
	case refused.Kind != store.Rejected:
		return Refusal{Kind: Away, RetryAfter: refused.RetryAfter}, true
	}
	r := Refusal{Kind: TooMuch, Param: "from", Message: "asks what the store does not answer; try a shorter range, a longer step, fewer sensors, or another agg"}
	for _, l := range limits() {
		if strings.Contains(said, l.words) {
			r.Param, r.Message = l.param, l.message
			break
		}
	}
	if said != "" {
		r.Message += " (" + said + ")"
	}
	return r, true
}
