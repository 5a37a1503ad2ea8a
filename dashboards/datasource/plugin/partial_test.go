package plugin_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// many are so many items of a list, each a copy with a number.
func many(n int, item string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(item, i)
	}
	return strings.Join(items, ",")
}

// An answer that is a part of what there is, without anybody having asked for a part, says so.
func TestAnswersThatAreCutSaySo(t *testing.T) {
	const reading = `{"sensor":"cam-%d","quantity":"speed","value":1,"unit":"km/h","time":"2026-03-09T08:00:00Z"}`
	const site = `{"id":"site-%d","title":"A site"}`
	const kept = `{"sensor":"cam-%d","missing":1}`
	const happened = `{"kind":"silence","sensor":"cam-%d","from":"2026-03-09T08:00:00Z"}`
	for name, test := range map[string]struct {
		path, answer, query string
		rows                int
		words               string
	}{
		"readings that the server left out": {"latest", `{"items":[` + many(3, reading) + `],"truncated":true}`, `"kind":"latest"`, 3, "more readings than one answer holds"},
		"readings beyond the rows of a table": {
			"latest", `{"items":[` + many(10_001, reading) + `]}`, `"kind":"latest","view":"readings"`, 10_000, "there are 10001, and the first 10000 are shown",
		},
		"readings of which fewer were wanted": {"latest", `{"items":[` + many(10_001, reading) + `]}`, `"kind":"latest","view":"readings","limit":10`, 10, ""},
		"sites beyond the rows of a table":    {"sites", `{"items":[` + many(10_001, site) + `]}`, `"kind":"sensors","view":"sites"`, 10_000, "there are 10001, and the first 10000 are shown"},
		"the ledger of more sensors":          {"ledger/sensors", `{"items":[` + many(10_000, kept) + `],"total":12000}`, `"kind":"ledger","view":"each"`, 10_000, "there are 12000, and the first 10000 are shown"},
		"the ledger of fewer sensors":         {"ledger/sensors", `{"items":[` + many(1_500, kept) + `],"total":1500}`, `"kind":"ledger","view":"each"`, 1_500, ""},
		"the ledger of as many as were wanted": {
			"ledger/sensors", `{"items":[` + many(100, kept) + `],"total":12000}`, `"kind":"ledger","view":"each","limit":100`, 100, "",
		},
		"events that the server left out": {"events", `{"items":[` + many(3, happened) + `],"truncated":true}`, `"kind":"events"`, 3, "older ones are left out"},
	} {
		t.Run(name, func(t *testing.T) {
			api := newTown(t, "")
			api.answer(test.path, test.answer)
			answer := ask(t, settings(t, api.URL, ""), day(), "{"+test.query+"}")
			if answer.Error != nil || len(answer.Frames) != 1 {
				t.Fatalf("%v, %d frames", answer.Error, len(answer.Frames))
			}
			frame := answer.Frames[0]
			if frame.Rows() != test.rows || warns(frame.Meta.Notices) != (test.words != "") || test.words != "" && !strings.Contains(frame.Meta.Notices[0].Text, test.words) {
				t.Errorf("%d rows and %v; want %d and %q", frame.Rows(), frame.Meta.Notices, test.rows, test.words)
			}
			for _, call := range api.asked("ledger/sensors") {
				at, err := url.Parse(call)
				if err != nil || test.rows != 100 && at.Query().Get("limit") != "10000" {
					t.Errorf("asked %s", call)
				}
			}
		})
	}
}

func warns(notices []data.Notice) bool { return len(notices) > 0 }
