package influx_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lamppost-city/lamppost/store"
	"github.com/lamppost-city/lamppost/store/influx"
	"github.com/lamppost-city/lamppost/store/storetest"
	"github.com/lamppost-city/lamppost/telemetry"
)

// answering returns a client of a server that answers every query with body.
func answering(t testing.TB, body string) *influx.Client {
	t.Helper()
	return storetest.Client(t, serve(t.(*testing.T), func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, body) }))
}

func TestAnswerIsDecoded(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		rule string
		body string
		want []store.Series
	}{
		{"nothing", `{"results":[{"statement_id":0}]}`, nil},
		{"no results at all", `{"results":[]}`, nil},
		{
			"parts of one series become one",
			`{"results":[{"series":[{"name":"traffic","tags":{"sensor":"a"},"columns":["time","speed"],"values":[[1,2.5],[2,null]],"partial":true}],"partial":true}]}
			 {"results":[{"series":[{"name":"traffic","tags":{"sensor":"a"},"columns":["time","speed"],"values":[[3,4]]}],"partial":true}]}
			 {"results":[{"series":[{"name":"traffic","tags":{"sensor":"b"},"columns":["time","speed"],"values":[[3,5]]}]}]}`,
			[]store.Series{
				{Measurement: "traffic", Tags: map[string]string{"sensor": "a"}, Columns: []string{"speed"}, Times: []telemetry.UnixMilli{1, 2, 3}, Values: [][]float64{{2.5, nan, 4}}},
				{Measurement: "traffic", Tags: map[string]string{"sensor": "b"}, Columns: []string{"speed"}, Times: []telemetry.UnixMilli{3}, Values: [][]float64{{5}}},
			},
		},
		{
			"text is no number, truth is one",
			`{"results":[{"series":[{"name":"x","columns":["a","time","b","c"],"values":[ ["q\"]\\", -7, true, -1.5e-3 ] , [null,9007199254740991,false,0] ]}]}]}`,
			[]store.Series{{
				Measurement: "x", Columns: []string{"a", "b", "c"}, Times: []telemetry.UnixMilli{-7, 9007199254740991},
				Values: [][]float64{{nan, nan}, {1, 0}, {-0.0015, 0}},
			}},
		},
		{
			"an answer without times",
			`{"results":[{"series":[{"name":"m","columns":["n"],"values":[[1],[2]]}]}]}`,
			[]store.Series{{Measurement: "m", Columns: []string{"n"}, Values: [][]float64{{1, 2}}}},
		},
		{
			"a series without rows",
			`{"results":[{"series":[{"name":"m","columns":["time","n"]},{"name":"o","columns":["time","n"],"values":null}]}]}`,
			[]store.Series{
				{Measurement: "m", Columns: []string{"n"}, Times: []telemetry.UnixMilli{}, Values: [][]float64{{}}},
				{Measurement: "o", Columns: []string{"n"}, Times: []telemetry.UnixMilli{}, Values: [][]float64{{}}},
			},
		},
	} {
		t.Run(c.rule, func(t *testing.T) {
			got, err := answering(t, c.body).Query(context.Background(), "SELECT")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got, cmpopts.EquateNaNs()); diff != "" {
				t.Errorf("series (-want +got):\n%s", diff)
			}
			for _, s := range got {
				if s.Rows() != len(s.Values[0]) {
					t.Errorf("Rows() = %d", s.Rows())
				}
			}
		})
	}
}

func TestAnswerThatIsNotOneIsAnError(t *testing.T) {
	for _, c := range []struct {
		rule string
		body string
		kind store.Kind
	}{
		{"empty", "", store.Retry},
		{"cut in a number", `{"results":[{"series":[{"name":"x","columns":["time","a"],"values":[[1,2`, store.Retry},
		{"cut between parts", `{"results":[{"series":[{"name":"x","columns":["time","a"],"values":[[1,2]],"partial":true}],"partial":true}]}`, store.Retry},
		{"HTML", "<html>", store.Retry},
		{"rows of different widths", `{"results":[{"series":[{"name":"x","columns":["time","a"],"values":[[1,2],[1]]}]}]}`, store.Retry},
		{"more columns than cells", `{"results":[{"series":[{"name":"x","columns":["time","a","b"],"values":[[1,2]]}]}]}`, store.Retry},
		{"a cell that is a list", `{"results":[{"series":[{"name":"x","columns":["time","a"],"values":[[1,[2]]]}]}]}`, store.Retry},
		{"a row without a time", `{"results":[{"series":[{"name":"x","columns":["time"],"values":[[null]]}]}]}`, store.Retry},
		{"an error in the result", `{"results":[{"statement_id":0,"error":"max-select-series limit exceeded: (5/4)"}]}`, store.Rejected},
		{"an error after a part", `{"results":[{"partial":true}]}` + "\n" + `{"results":[{"statement_id":0,"error":"query interrupted"}]}`, store.Retry},
		{"too many queries", `{"results":[{"statement_id":0,"error":"max-concurrent-queries limit exceeded(64, 64)"}]}`, store.Retry},
		{"too slow", `{"results":[{"statement_id":0,"error":"query-timeout limit exceeded"}]}`, store.Retry},
		{"no such database", `{"results":[{"statement_id":0,"error":"database not found: x"}]}`, store.Denied},
		{"an error of the whole", `{"error":"authorization failed"}`, store.Rejected},
	} {
		t.Run(c.rule, func(t *testing.T) {
			_, err := answering(t, c.body).Query(context.Background(), "SELECT")
			if e := storeError(t, err); e.Kind != c.kind {
				t.Errorf("%v is %s, want %s", e, e.Kind, c.kind)
			}
		})
	}
}

func TestQueryIsSentWhole(t *testing.T) {
	for _, c := range []struct {
		bytes  int
		method string
	}{{100, "GET"}, {100_000, "POST"}} {
		q := `SELECT "a" FROM "b" WHERE ` + strings.Repeat("x & ü = 1 ", c.bytes/10)
		cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != c.method || r.FormValue("q") != q {
				t.Errorf("%s of %d bytes, want %s of %d", r.Method, len(r.FormValue("q")), c.method, len(q))
			}
			if r.FormValue("db") != "lamppost" || r.FormValue("rp") != "readings" || r.FormValue("epoch") != "ms" || r.FormValue("chunked") != "true" {
				t.Errorf("form %v", r.Form)
			}
			_, _ = io.WriteString(w, `{"results":[{}]}`)
		})
		if _, err := storetest.Client(t, cfg).Query(context.Background(), q); err != nil {
			t.Fatal(err)
		}
	}
}

func TestQuotingIsReadBackByTheLanguage(t *testing.T) {
	for text, want := range map[string]string{
		"":                 `''`,
		"loop-1":           `'loop-1'`,
		`it's`:             `'it\'s'`,
		`a\'b`:             `'a\\\'b'`,
		"a\nb":             `'a\nb'`,
		`"x"`:              `'"x"'`,
		`'; DROP DATABASE`: `'\'; DROP DATABASE'`,
	} {
		if got := influx.QuoteString(text); got != want {
			t.Errorf("QuoteString(%q) = %s, want %s", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"speed": `"speed"`, `a"b`: `"a\"b"`, `a\"b`: `"a\\\"b"`, "a\nb": `"a\nb"`, `it's`: `"it's"`,
	} {
		if got := influx.QuoteIdent(text); got != want {
			t.Errorf("QuoteIdent(%q) = %s, want %s", text, got, want)
		}
	}
}

// FuzzAnswer holds the decoder against encoding/json: it never panics, and reads the same numbers.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`[[1,2.5],[2,null]]`, `[]`, `null`, `[[]]`, `[["a\"]",true,1e300]]`, `[ [ -0 , 1E-5 ] ]`, `[[1,[2]]]`, `{"a":1}`, `[[1]x]`, `[[1 2]]`, `7`, `[[{}]]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, values string) {
		var rows [][]any
		valid := json.Unmarshal([]byte(values), &rows) == nil
		width := 0
		if len(rows) > 0 {
			width = len(rows[0])
		}
		columns := make([]string, width)
		for i := range columns {
			columns[i] = fmt.Sprint("c", i)
		}
		named, _ := json.Marshal(columns)
		got, err := influx.DecodeForTest(strings.NewReader(`{"results":[{"series":[{"name":"m","columns":` + string(named) + `,"values":` + values + `}]}]}`))
		if err != nil || !valid || len(got) != 1 {
			return
		}
		for r, row := range rows {
			for c, cell := range row {
				want := math.NaN()
				switch v := cell.(type) {
				case float64:
					want = v
				case bool:
					want = map[bool]float64{true: 1}[v]
				}
				if v := got[0].Values[c][r]; v != want && !(math.IsNaN(v) && math.IsNaN(want)) {
					t.Fatalf("row %d cell %d of %s is %v, want %v", r, c, values, v, want)
				}
			}
		}
	})
}
