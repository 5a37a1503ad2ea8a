package dashboards

import (
	"github.com/lamppost-city/lamppost/dashboards/datasource/question"
	"github.com/lamppost-city/lamppost/telemetry"
)

// Pipeline is how the server does: whether readings flow, wait, or are refused.
//
//	stats
//	readings by step │ delays
//	what did not simply come │ why readings were refused │ parts of the server
func Pipeline() Dashboard {
	p := page{
		uid: pipelineUID, title: "Pipeline", back: "6h", variables: []Variable{districts()},
		about: "How the server does: rates, what waits, delays, what was refused and why, and each of its parts.",
	}
	return p.with(append(pipelineStats(), pipelineCourse()...)...)
}

func pipelineStats() []Panel {
	now := question.Query{Kind: question.Pipeline, View: question.Totals}
	return []Panel{
		stat(text{"Received", "Readings received each second, at this moment."}, "lastNotNull", "Received", now).unit("suffix:/s").override(Matcher{"byName", "Received"}, Property{"unit", "suffix:/s"}).decimals(1).at(0, 0, 3, 4),
		stat(text{"Written", "Readings written to the store each second, at this moment. Less than received for long means that the store is slow or away."}, "lastNotNull", "Written", now).
			unit("suffix:/s").override(Matcher{"byName", "Written"}, Property{"unit", "suffix:/s"}).decimals(1).at(3, 0, 3, 4),
		stat(text{"Waiting", "Readings on disk that are not in the store yet. They are safe, and not visible."}, "lastNotNull", "Waiting", now).
			unit("short").banded([]band{{0, green}, {10_000, orange}, {1_000_000, vermillion}}).at(6, 0, 3, 4),
		stat(text{"Oldest", "How long the oldest waiting reading has waited."}, "lastNotNull", "Oldest in spool", now).
			unit("s").decimals(0).banded([]band{{0, green}, {60, orange}, {600, vermillion}}).at(9, 0, 3, 4),
		stat(text{"Spool used", "Part of the spool's allowed size in use. At 100 % the server stops acknowledging, and publishers keep their readings."}, "lastNotNull", "Spool used", now).
			unit("percentunit").decimals(1).banded(fullBands).at(12, 0, 3, 4),
		stat(text{"Quarantine", "Messages that could not be stored, with their bytes and the reason; they can be taken in again when the cause is mended."}, "lastNotNull", "In quarantine", now).
			unit("short").at(15, 0, 3, 4),
		stat(text{"Delay p50", "From receipt to being in the store: half of the readings take no longer."}, "lastNotNull", "Delay, median", now).
			unit("ms").decimals(0).banded([]band{{0, green}, {1000, orange}, {10_000, vermillion}}).at(18, 0, 3, 4),
		stat(text{"Delay p99", "From receipt to being in the store: 99 of 100 readings take no longer."}, "lastNotNull", "Delay, 99 of 100", now).
			unit("ms").decimals(0).banded([]band{{0, green}, {1000, orange}, {10_000, vermillion}}).at(21, 0, 3, 4),
	}
}

func pipelineCourse() []Panel {
	return []Panel{
		bars(text{"What became of readings", "Accepted, duplicate and rejected readings by step, upon one another; the white or black line is those of the accepted that came late, the orange one reports that are missing, of which each may hold several readings, on the scale at the right. The newest step is the last whole one."}, stepped()).
			unit("short").points(100).outcomes().at(0, 4, 12, 11),
		table(text{"Parts of the server", "Each part and whether it is ready. One that is not says why."}, []string{"Part", "Ready", "Message"},
			question.Query{Kind: question.Pipeline, View: question.Parts}).width("Part", 140).width("Ready", 100).ready().at(12, 4, 12, 11),
		bars(text{"Refused readings by reason", "Readings that were refused, by step and reason."}, stepped()).
			unit("short").points(100).transformed(refused()).stacked().byReason().at(0, 15, 8, 11),
		barGauge(text{"Reasons", "How many readings of this time were refused, and why."}, "Readings", 12, ledger(question.Reasons)).unit("short").colored(vermillion).at(8, 15, 8, 11),
		table(text{"Who is refused most, if any", "Sensors of which most readings were refused in this time; empty where none was. Click one for its history."},
			[]string{"Sensor", "Title", "Rejected", "Accepted"}, rejectedMost()).transformedFirst(positive("Rejected")).opening().width("Sensor", 110).width("Rejected", 90).width("Accepted", 90).at(16, 15, 8, 11),
	}
}

func rejectedMost() question.Query {
	q := ledger(question.Each)
	q.Sort, q.Limit = "rejected", 50
	return q
}

// refused leaves the time and the series of reasons.
func refused() Transformation {
	type pattern struct {
		Pattern string `json:"pattern"`
	}
	return Transformation{"filterFieldsByName", struct {
		Include pattern `json:"include"`
	}{pattern{"/^time$|^Rejected: /"}}}
}

// byReason gives the frequent reasons for refusing a colour each, and the others grey.
func (p Panel) byReason() Panel {
	p = p.colored(grey)
	for _, of := range []struct {
		reason telemetry.Reason
		color  string
	}{
		{telemetry.ReasonFuture, blue},
		{telemetry.ReasonTooOld, skyBlue},
		{telemetry.ReasonTime, green},
		{telemetry.ReasonMalformed, vermillion},
		{telemetry.ReasonUnregistered, orange},
		{telemetry.ReasonUnknownQuantity, purple},
		{telemetry.ReasonUnit, yellow},
		{telemetry.ReasonRange, ink},
	} {
		p = p.naming("/: "+of.reason.String()+"$/", of.color)
	}
	return p
}

// ready says ready and not ready in colours.
func (p Panel) ready() Panel {
	words := mapping{Type: "value", Options: map[string]mapped{"true": {"ready", green, 0}, "false": {"not ready", vermillion, 1}}}
	return p.override(Matcher{"byName", "Ready"}, Property{"mappings", []any{words}}, Property{"custom.cellOptions", TypeOnly{Type: "color-text"}})
}
