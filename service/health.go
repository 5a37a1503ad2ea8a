package service

import (
	"encoding/json"
	"net/http"
)

// Livez answers 200 as long as the process can answer at all.
func Livez() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("alive\n"))
	})
}

// Readyz names every part and its state as JSON, {"ready":bool,"parts":[{"name","ready","state","message"}]}, with
// status 200 if all are ready and 503 if not.
func (g *Group) Readyz() http.Handler {
	type part struct {
		Name    string `json:"name"`
		Ready   bool   `json:"ready"`
		State   State  `json:"state"`
		Message string `json:"message,omitempty"`
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer := struct {
			Ready bool   `json:"ready"`
			Parts []part `json:"parts"`
		}{Ready: true, Parts: []part{}}
		for _, s := range g.Status() {
			ready := s.State == Ready
			answer.Ready = answer.Ready && ready
			answer.Parts = append(answer.Parts, part{s.Name, ready, s.State, s.Message})
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if !answer.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(answer)
	})
}
