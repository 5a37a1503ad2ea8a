package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lamppost-city/lamppost/query"
	"github.com/lamppost-city/lamppost/registry"
)

// storePause is when a client may ask again what the store could not answer.
const storePause = 5 * time.Second

// fault turns an error of a dependency into the problem that the client gets. What the client can mend is told to it in
// full; the rest goes to the log, under the action that it stopped.
func (s *Server) fault(ctx context.Context, action string, err error) error {
	var invalid *registry.InvalidError
	var known huma.StatusError
	questions := query.Faults(err)
	switch {
	case errors.As(err, &known):
		return err
	case errors.As(err, &invalid):
		return invalidProblem(invalid)
	case len(questions) > 0:
		return badQuestion(questions)
	case errors.Is(err, registry.ErrNotFound):
		return newProblem(http.StatusNotFound, "%v", err)
	case errors.Is(err, context.DeadlineExceeded):
		return newProblem(http.StatusGatewayTimeout, "%s: it took too long; ask for less at a time", action)
	case ctx.Err() != nil:
		return newProblem(http.StatusServiceUnavailable, "%s: the request was given up", action) // nobody reads this
	}
	s.log.Error("request not answered", "action", action, "error", err)
	return newProblem(http.StatusInternalServerError, "%s: it went wrong inside; the log of the process says why", action)
}

// storeFault is fault for what the store was asked: where it is the store's, the client may come again, or must ask for
// less.
func (s *Server) storeFault(ctx context.Context, action string, err error) error {
	refusal, refused := query.RefusalOf(err)
	if !refused || errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return s.fault(ctx, action, err)
	}
	s.log.Warn("store did not answer", "action", action, "error", err)
	switch refusal.Kind {
	case query.TooMuch:
		return badQuery(refusal.Param, "", "%s", refusal.Message)
	case query.TooLong:
		return s.fault(ctx, action, context.DeadlineExceeded)
	}
	return retryLater(max(storePause, refusal.RetryAfter),
		"%s: it cannot answer now; the log of the process says why, and /readyz shows when it can", action)
}

// badQuestion names every parameter that a question is refused for.
func badQuestion(faults []*query.InvalidError) error {
	p := badParameter("query", faults[0].Param, "", "%s", faults[0].Message)
	for _, f := range faults[1:] {
		p.Errors = append(p.Errors, &huma.ErrorDetail{Message: f.Message, Location: "query." + f.Param})
	}
	return p
}

// invalidProblem names every field that the registry refused.
func invalidProblem(invalid *registry.InvalidError) *huma.ErrorModel {
	p := newProblem(http.StatusUnprocessableEntity, "%s", invalid.Error())
	for _, f := range invalid.Fields {
		location := "body." + f.Field
		switch f.Field {
		case "id":
			location = "path.id"
		case "body":
			location = "body"
		}
		p.Errors = append(p.Errors, &huma.ErrorDetail{Message: f.Message, Location: location})
	}
	return p
}

// begin takes one of the slots, waiting for it up to Config.QueryWait, and returns the function that gives it back.
func (s *Server) begin(ctx context.Context, slots chan struct{}) (func(), error) {
	done := func() { <-slots }
	select {
	case slots <- struct{}{}:
		return done, nil
	default:
	}
	wait := time.NewTimer(s.cfg.QueryWait)
	defer wait.Stop()
	select {
	case slots <- struct{}{}:
		return done, nil
	case <-ctx.Done():
		return nil, newProblem(http.StatusServiceUnavailable, "the request was given up")
	case <-wait.C:
		s.metrics.queryBusy.Inc()
		return nil, retryLater(time.Second, "%d requests of this kind are being answered, as many as allowed; come again in a second", cap(slots))
	}
}

// tagged encodes an answer that clients keep, with its ETag; it is a 304 for one that the client has.
func tagged(answer any, ifNoneMatch string) (*fileOutput, error) {
	var body bytes.Buffer
	if err := writeJSON(&body, answer); err != nil {
		return nil, err
	}
	tag := tagOf(body.Bytes())
	if matches(ifNoneMatch, tag) {
		return nil, notModified(tag)
	}
	return &fileOutput{ContentType: "application/json", ETag: tag, Body: body.Bytes()}, nil
}

// tagOf makes an ETag of a body. It is weak because the body may go out compressed.
func tagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return weak(hex.EncodeToString(sum[:12]))
}

func weak(tag string) string { return `W/"` + tag + `"` }

// matches compares an If-None-Match header, weakly (RFC 9110 section 13.1.2).
func matches(header, tag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

// notModified is the 304 for a body that the client has.
func notModified(tag string) error {
	return huma.ErrorWithHeaders(huma.Status304NotModified(), http.Header{"Etag": {tag}})
}
