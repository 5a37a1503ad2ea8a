package city

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Readings is the answer to a history: columns of times and values.
type Readings struct {
	// StepMS is the length of a step in milliseconds, of months and years that of the shortest; 0 for readings as they are.
	StepMS int64 `json:"step_ms"`
	// Step is the same in words, such as 1mo; servers before steps of the calendar do not say.
	Step      string   `json:"step"`
	Agg       string   `json:"agg"`
	Truncated bool     `json:"truncated"`
	Series    []Series `json:"series"`
}

// Series is one line. Names that do not apply are "".
type Series struct {
	Sensor   string `json:"sensor"`
	Site     string `json:"site"`
	District string `json:"district"`
	Channel  string `json:"channel"`
	Domain   string `json:"domain"`
	Quantity string `json:"quantity"`
	Title    string `json:"title"`
	Unit     string `json:"unit"`
	// Agg is how the readings of a step were combined, which may differ among series.
	Agg string `json:"agg"`
	// Times are in milliseconds, ascending; Values has as many, NaN where there is none.
	Times  Millis `json:"times"`
	Values Floats `json:"values"`
	// Points is how servers before the contract answer.
	Points any `json:"points"`
}

// History asks for readings of some time.
func (c *Client) History(ctx context.Context, params url.Values) (*Readings, error) {
	params.Set("format", "columns")
	answer := new(Readings)
	if _, err := c.get(ctx, "history", params, "", answer); err != nil {
		return nil, err
	}
	for i := range answer.Series {
		s := &answer.Series[i]
		if s.Points != nil && s.Times == nil {
			return nil, &Fault{Kind: Old, Call: Call("history", params), Detail: "this Lamppost does not answer histories in columns; it is older than this plugin: update it"}
		}
		if len(s.Times) != len(s.Values) {
			return nil, &Fault{Kind: Foreign, Call: Call("history", params), Detail: fmt.Sprintf("the answer has %d times and %d values for %s; this is a fault of the server", len(s.Times), len(s.Values), s.Quantity)}
		}
	}
	return answer, nil
}

// Reading is one value, with place and state of its sensor where they were asked for.
type Reading struct {
	Sensor   string    `json:"sensor"`
	Quantity string    `json:"quantity"`
	Channel  string    `json:"channel"`
	Value    *float64  `json:"value"`
	Unit     string    `json:"unit"`
	Time     time.Time `json:"time"`
	State    string    `json:"state"`

	Site        string   `json:"site"`
	SiteTitle   string   `json:"site_title"`
	District    string   `json:"district"`
	Lon         *float64 `json:"lon"`
	Lat         *float64 `json:"lat"`
	SensorTitle string   `json:"sensor_title"`
	SensorState string   `json:"sensor_state"`
	AgeS        *float64 `json:"age_s"`
}

// Latest asks for the newest readings.
func (c *Client) Latest(ctx context.Context, params url.Values) (items []Reading, truncated bool, err error) {
	var answer struct {
		Items     []Reading `json:"items"`
		Truncated bool      `json:"truncated"`
	}
	_, err = c.get(ctx, "latest", params, "", &answer)
	return answer.Items, answer.Truncated, err
}

// Sensor is one that is registered.
type Sensor struct {
	ID         string     `json:"id"`
	Title      string     `json:"title"`
	Site       string     `json:"site"`
	SiteTitle  string     `json:"site_title"`
	District   string     `json:"district"`
	Lon        *float64   `json:"lon"`
	Lat        *float64   `json:"lat"`
	Publisher  string     `json:"publisher"`
	CadenceS   float64    `json:"cadence_s"`
	Quantities []string   `json:"quantities"`
	Domains    []string   `json:"domains"`
	State      string     `json:"state"`
	LastSeen   *time.Time `json:"last_seen"`
}

// Sensors asks who is registered; total counts those beyond the limit as well.
func (c *Client) Sensors(ctx context.Context, params url.Values) (items []Sensor, total int, err error) {
	return list[Sensor](ctx, c, "sensors", params)
}

// Sensor asks for one sensor; false if there is none of that id.
func (c *Client) Sensor(ctx context.Context, id string) (s Sensor, ok bool, err error) {
	_, err = c.get(ctx, "sensors/"+url.PathEscape(id), nil, "", &s)
	var fault *Fault
	if errors.As(err, &fault) && fault.Status == http.StatusNotFound && fault.Kind == Wrong {
		return s, false, nil
	}
	return s, err == nil, err
}

// Counts are the ledger's sums. What the ledger does not hold is nil.
type Counts struct {
	Expected   *float64         `json:"expected"`
	Received   *float64         `json:"received"`
	Accepted   *float64         `json:"accepted"`
	Missing    *float64         `json:"missing"`
	Late       *float64         `json:"late"`
	Duplicate  *float64         `json:"duplicate"`
	Stamped    *float64         `json:"stamped"`
	Written    *float64         `json:"written"`
	Waiting    *float64         `json:"waiting"`
	Rejected   map[string]int64 `json:"rejected"`
	DelayP50MS *float64         `json:"delay_p50_ms"`
	DelayP99MS *float64         `json:"delay_p99_ms"`
}

// Step is the ledger of one step.
type Step struct {
	Time time.Time `json:"time"`
	Counts
}

// Book is an answer of the ledger.
type Book struct {
	Counts
	Steps []Step `json:"steps"`
}

// Ledger asks for what came and what did not.
func (c *Client) Ledger(ctx context.Context, params url.Values) (*Book, error) {
	answer := new(Book)
	_, err := c.get(ctx, "ledger", params, "", answer)
	if err == nil && params.Has("step") && answer.Steps == nil {
		return nil, &Fault{Kind: Old, Call: Call("ledger", params), Detail: "this Lamppost does not answer its ledger in steps; it is older than this plugin: update it"}
	}
	return answer, err
}

// Kept is the ledger of one sensor.
type Kept struct {
	Sensor       string     `json:"sensor"`
	Title        string     `json:"title"`
	Site         string     `json:"site"`
	District     string     `json:"district"`
	Accepted     *float64   `json:"accepted"`
	Missing      *float64   `json:"missing"`
	Expected     *float64   `json:"expected"`
	Completeness *float64   `json:"completeness"`
	Late         *float64   `json:"late"`
	Rejected     *float64   `json:"rejected"`
	LastSeen     *time.Time `json:"last_seen"`
	State        string     `json:"state"`
}

// LedgerSensors asks for the ledger of each sensor.
func (c *Client) LedgerSensors(ctx context.Context, params url.Values) (items []Kept, total int, err error) {
	return list[Kept](ctx, c, "ledger/sensors", params)
}

// Event is a silence, or a clock that was wrong.
type Event struct {
	Kind     string     `json:"kind"`
	Sensor   string     `json:"sensor"`
	Site     string     `json:"site"`
	District string     `json:"district"`
	From     time.Time  `json:"from"`
	To       *time.Time `json:"to"`
	Text     string     `json:"text"`
}

// Events asks for what happened; the older ones are left out of what is truncated.
func (c *Client) Events(ctx context.Context, params url.Values) (items []Event, truncated bool, err error) {
	var answer struct {
		Items     []Event `json:"items"`
		Truncated bool    `json:"truncated"`
	}
	_, err = c.get(ctx, "events", params, "", &answer)
	return answer.Items, answer.Truncated, err
}

// Pipeline is how the server itself is doing.
type Pipeline struct {
	ReceivedPerS  float64 `json:"received_per_s"`
	WrittenPerS   float64 `json:"written_per_s"`
	Waiting       float64 `json:"waiting"`
	Quarantined   float64 `json:"quarantined"`
	RejectedTotal float64 `json:"rejected_total"`
	Spool         struct {
		Bytes    float64 `json:"bytes"`
		MaxBytes float64 `json:"max_bytes"`
		OldestS  float64 `json:"oldest_s"`
		Full     bool    `json:"full"`
	} `json:"spool"`
	Parts []struct {
		Name    string `json:"name"`
		Ready   bool   `json:"ready"`
		Message string `json:"message"`
	} `json:"parts"`
	DelayMS struct {
		P50 *float64 `json:"p50"`
		P99 *float64 `json:"p99"`
	} `json:"delay_ms"`
	Started *time.Time `json:"started"`
	Version string     `json:"version"`
}

// Pipeline asks how the server itself is doing.
func (c *Client) Pipeline(ctx context.Context) (*Pipeline, error) {
	answer := new(Pipeline)
	_, err := c.get(ctx, "pipeline", nil, "", answer)
	return answer, err
}

// About is what the server says of itself.
type About struct {
	Name    string `json:"name"`
	Zone    string `json:"zone"`
	Version string `json:"version"`
	API     int    `json:"api"`
}

// About asks which city this is.
func (c *Client) About(ctx context.Context) (About, error) {
	var answer About
	_, err := c.get(ctx, "city", nil, "", &answer)
	return answer, err
}

// Session is what the token may do.
type Session struct {
	Authenticated bool     `json:"authenticated"`
	May           []string `json:"may"`
}

// Session asks what the token may do.
func (c *Client) Session(ctx context.Context) (Session, error) {
	var answer Session
	_, err := c.get(ctx, "session", nil, "", &answer)
	return answer, err
}

// Millis are Unix times in milliseconds. They are decoded without reflection: an answer has hundreds of thousands.
type Millis []int64

// UnmarshalJSON reads an array of whole numbers.
func (m *Millis) UnmarshalJSON(text []byte) error {
	all := make(Millis, 0, bytes.Count(text, []byte{','})+1)
	err := eachNumber(text, func(number string) error {
		v, err := strconv.ParseInt(number, 10, 64)
		all = append(all, v)
		return err
	})
	*m = all
	return err
}

// Floats are values; NaN where JSON has null.
type Floats []float64

// UnmarshalJSON reads an array of numbers and nulls.
func (f *Floats) UnmarshalJSON(text []byte) error {
	all := make(Floats, 0, bytes.Count(text, []byte{','})+1)
	err := eachNumber(text, func(number string) error {
		if number == "null" {
			all = append(all, math.NaN())
			return nil
		}
		v, err := strconv.ParseFloat(number, 64)
		all = append(all, v)
		return err
	})
	*f = all
	return err
}

// eachNumber calls with each element of an array. The decoder has checked before that the text is JSON.
func eachNumber(text []byte, take func(string) error) error {
	whole := string(text) // once, so that its parts need no copies
	if whole == "null" {
		return nil
	}
	if len(whole) < 2 || whole[0] != '[' {
		return fmt.Errorf("%.20q is no array", whole)
	}
	for part := range strings.SplitSeq(whole[1:len(whole)-1], ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if err := take(part); err != nil {
			return err
		}
	}
	return nil
}
