package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// maxAnswerTime is how long one answer may take to go out, from its first byte, live streams left out.
const maxAnswerTime = 5 * time.Minute

// pace drops a client that takes nothing of an answer for some time, or not all of it within maxAnswerTime.
type pace struct {
	connection *http.ResponseController
	patience   time.Duration
	until      time.Time // zero before the first byte
}

// paceBytes is what a client has to take within its patience.
const paceBytes = 8 << 10

func (p *pace) next() {
	now := time.Now()
	if p.until.IsZero() {
		p.until = now.Add(maxAnswerTime)
	}
	limit := now.Add(p.patience)
	if limit.After(p.until) {
		limit = p.until
	}
	p.connection.SetWriteDeadline(limit) //nolint:errcheck // it does not fail on a connection of net/http
}

// recorder notes what became of an answer.
type recorder struct {
	http.ResponseWriter
	status int   // 0 before the header
	failed error // of the first write that failed
	pace   *pace // nil where the handler bounds its writes itself
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 || w.status < 200 { // 1xx may come before
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	written := 0
	for {
		part := p[written:]
		if w.pace != nil {
			part = part[:min(len(part), paceBytes)]
			w.pace.next()
		}
		n, err := w.ResponseWriter.Write(part)
		written += n
		if err != nil && w.failed == nil {
			w.failed = err
		}
		if err != nil || written == len(p) {
			return written, err
		}
	}
}

// Unwrap serves http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// observe counts requests and bounds their time. It is outermost.
func (s *Server) observe(routeOf func(*http.Request) string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.inProgress.RLock()
		defer s.inProgress.RUnlock()
		began := time.Now()
		connection := http.NewResponseController(w)
		// Neither fails on a connection of net/http. The deadlines of the request before are replaced. How long the work
		// before an answer takes is bounded where it is done.
		connection.SetWriteDeadline(time.Time{}) //nolint:errcheck // see above
		if r.ContentLength != 0 {
			connection.SetReadDeadline(began.Add(maxBodyTime)) //nolint:errcheck // see above
		}
		recorded := &recorder{ResponseWriter: w}
		route := routeOf(r)
		if r.URL.Path != livePath {
			recorded.pace = &pace{connection: connection, patience: s.cfg.WriteTimeout}
		}
		defer func() {
			status := recorded.status
			if status == 0 {
				status = http.StatusOK
			}
			s.metrics.answered(route, r.Method, status, time.Since(began))
		}()
		next.ServeHTTP(recorded, r)
	})
}

// screen sets the headers that keep browsers safe and refuses requests that are wrong before anybody looks at them. It
// leaves the body as it is: net/http closes a connection whose body has not been read to its end only where it finds its
// own body in the request, and otherwise takes the rest for the next request. Endpoints bound what they read.
func (s *Server) screen(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		if p := s.gate.checkHost(r); p != nil {
			writeProblem(w, p)
			return
		}
		if p := s.checkQuery(r); p != nil {
			writeProblem(w, p)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) checkQuery(r *http.Request) *huma.ErrorModel {
	if len(r.URL.RawQuery) > s.cfg.MaxQueryBytes {
		return newProblem(http.StatusRequestURITooLong, "the query string has %d bytes; at most %d are allowed", len(r.URL.RawQuery), s.cfg.MaxQueryBytes)
	}
	if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
		return newProblem(http.StatusBadRequest, "the query string cannot be read: %v", cut(err.Error()))
	}
	return nil
}

// guard lets pass what the gate admits. It stands before everything under /api.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		if p := s.gate.checkAccess(r); p != nil {
			writeProblem(w, p)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// rescue answers a panic with a problem document, or breaks the answer off where it has begun. It is innermost, so that
// nothing has compressed the answer yet.
func (s *Server) rescue(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorded := &recorder{ResponseWriter: w}
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) || recorded.failed != nil || r.Context().Err() != nil {
				panic(http.ErrAbortHandler) // the client has gone
			}
			s.log.Error("request panicked", "method", r.Method, "path", cut(r.URL.Path), "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
			if recorded.status != 0 {
				panic(http.ErrAbortHandler)
			}
			writeProblem(w, newProblem(http.StatusInternalServerError, "it went wrong inside; the log of the process says why"))
		}()
		next.ServeHTTP(recorded, r)
	})
}

// problems answers in place of the mux where it has no route.
func problems(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		probe := probe{header: http.Header{}}
		handler.ServeHTTP(&probe, r)
		if probe.status == http.StatusMethodNotAllowed {
			allowed := probe.header.Get("Allow")
			w.Header().Set("Allow", allowed)
			writeProblem(w, newProblem(probe.status, "%s is not possible here; possible: %s", r.Method, allowed))
			return
		}
		writeProblem(w, newProblem(http.StatusNotFound, "there is nothing at %s; see /api/docs", cut(r.URL.Path)))
	})
}

// probe learns what a handler would answer.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }
func (p *probe) WriteHeader(status int)      { p.status = status }

// routeOf names the route of a request for metrics: its pattern without the method, "none" where there is none.
func routeOf(mux *http.ServeMux, r *http.Request) string {
	_, pattern := mux.Handler(r)
	if _, path, ok := strings.Cut(pattern, " "); ok {
		return path
	}
	if pattern == "" {
		return "none"
	}
	return pattern
}
