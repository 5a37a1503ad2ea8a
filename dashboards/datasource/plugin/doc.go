// Package plugin is the backend of the Grafana data source: one file for each thing that Grafana may want of it. Queries,
// health checks, resource calls and streams come in over gRPC; frames and plain words go out. main serves it.
//
//	Grafana ──gRPC──► Datasource ──► question.Query ──► city.Client ──HTTP──► Lamppost
//	                      ▲                                   │
//	                      └──────────── frames ◄──────────────┘
//
// A Datasource is for one set of settings; Grafana makes a new one when they change, and disposes of the old.
package plugin
