package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// maxEcho is how many bytes of a wrong value a problem document repeats.
const maxEcho = 200

// maxFaults is how many faults of a request a problem document lists.
const maxFaults = 20

// revalidate is the Cache-Control of an answer with an ETag.
const revalidate = "private, no-cache"

// newProblem makes a problem document (RFC 9457) whose title is the status' own.
func newProblem(status int, format string, args ...any) *huma.ErrorModel {
	return &huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: fmt.Sprintf(format, args...)}
}

// badParameter is the answer to a query or path parameter that cannot be used: 422, naming it.
func badParameter(where, name, value, format string, args ...any) *huma.ErrorModel {
	message := fmt.Sprintf(format, args...)
	p := newProblem(http.StatusUnprocessableEntity, "%s parameter %s: %s", where, name, message)
	p.Errors = []*huma.ErrorDetail{{Message: message, Location: where + "." + name, Value: cut(value)}}
	return p
}

func badQuery(name, value, format string, args ...any) error {
	return badParameter("query", name, value, format, args...)
}

// retryLater is a 503 that says when to come again.
func retryLater(after time.Duration, format string, args ...any) error {
	seconds := max(1, int(after.Round(time.Second)/time.Second))
	return huma.ErrorWithHeaders(newProblem(http.StatusServiceUnavailable, format, args...),
		http.Header{"Retry-After": {strconv.Itoa(seconds)}})
}

// tidyProblem is a huma transformer: it bounds what is echoed of a request, and keeps the inside of an unexpected error
// inside. (Errors that the endpoints return have been worded for people; those of status 500 come from huma itself.)
func tidyProblem(_ huma.Context, _ string, v any) (any, error) {
	p, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	if p.Status == http.StatusInternalServerError {
		p.Errors = nil
	}
	p.Errors = slices.DeleteFunc(p.Errors, func(e *huma.ErrorDetail) bool { return e == nil })
	if p.Detail == validationFailed && len(p.Errors) > 0 {
		p.Detail = wordFault(p.Errors[0])
	}
	p.Errors = p.Errors[:min(len(p.Errors), maxFaults)]
	for _, e := range p.Errors {
		e.Location = cut(e.Location)
		e.Message = cut(e.Message)
		if text, ok := e.Value.(string); ok {
			e.Value = cut(text)
		} else if raw, err := json.Marshal(e.Value); err != nil || len(raw) > maxEcho {
			e.Value = nil
		}
	}
	return p, nil
}

// validationFailed is huma's detail of every problem with parameters or body.
const validationFailed = "validation failed"

// wordFault says in a sentence what huma says with a location: "query parameter limit: expected number <= 1000".
func wordFault(e *huma.ErrorDetail) string {
	where, name, _ := strings.Cut(e.Location, ".")
	switch {
	case e.Location == "":
		return cut(e.Message)
	case where == "body":
		return e.Location + ": " + cut(e.Message)
	}
	return where + " parameter " + cut(name) + ": " + cut(e.Message)
}

// cut shortens text to maxEcho bytes on a boundary of characters.
func cut(text string) string {
	if len(text) <= maxEcho {
		return text
	}
	end := maxEcho
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// writeProblem answers outside huma: in the middleware and for paths that do not exist.
func writeProblem(w http.ResponseWriter, p *huma.ErrorModel) {
	body, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("encode problem document: %v", err)) // strings and numbers only
	}
	h := w.Header()
	maps.Copy(h, problemHeaders(p.Status))
	h.Del("Content-Encoding")
	h.Del("Etag")
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)+1))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	w.Write(append(body, '\n')) //nolint:errcheck // the client is gone; there is nobody to tell
}
