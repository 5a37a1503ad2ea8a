// Package dashboards makes the operators' Grafana dashboards. Nothing comes in but the catalogue of quantities; what goes
// out is one JSON file for each dashboard, which Grafana provisions and whose panels ask the data source in
// dashboards/datasource. dashboards/write writes the files; `make dashboards` calls it.
//
//	            ┌────────────► Traffic ──┐
//	            ├────────────► Energy ───┤ a row, a point, a line
//	City ───────┼────────────► Safety ───┼──────────────────────────► Sensor
//	overview    ├────────────► Fleet ────┘
//	            └────────────► Pipeline
//
// Every dashboard leads to every other one by the links at its top, and a panel of the overview to the dashboard of its
// subject by its title. All of these keep the time range and the variables.
//
// A dashboard is a function that returns a Dashboard; a panel is made by one of the few functions in panels.go and asks with
// a question.Query. The types in schema.go are those parts of Grafana's JSON that are used, and no more.
package dashboards
