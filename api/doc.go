// Package api is the hop between Lamppost and everybody outside it: the HTTP API, its OpenAPI document, the live events
// and the gate that decides who may do what.
//
// In come HTTP requests; out go JSON, CSV and server-sent events. It holds no data of its own: what it answers it asks
// of query, registry and ingest through the small interfaces in Deps, and cmd wires them. It also serves, at the same
// address, the console's files and the health pages that it is given.
//
//	request ──► recover, count ──► host, length ──► gate ──► gzip ──► huma ──► one function per endpoint ──► Deps
//	                                                 │
//	                                  token, session, same origin
//
//	live hub ──► feed: encode once, batch ──► a bounded queue per listener ──► event stream
//
// Every refusal is a problem document (RFC 9457). Times are RFC 3339 in UTC with milliseconds unless a field's name ends
// in _ms; positions are longitude, then latitude.
package api
