package main

import (
	"mime"
	"net/http"
	"testing"

	"github.com/lamppost-city/lamppost/internal/endtoend"
)

func TestThePagesOfHealthAreOfTheTypeThatTheDocumentNames(t *testing.T) {
	city := endtoend.NewCity(t, lamppost.itself, "--demo", "0")
	city.Start()
	var doc struct {
		Paths map[string]map[string]struct {
			Responses map[string]struct {
				Content map[string]any
			}
		}
	}
	if err := city.Get("/api/openapi.json", &doc); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/livez", "/readyz"} {
		got, err := http.Get(city.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = got.Body.Close()
		kind, _, err := mime.ParseMediaType(got.Header.Get("Content-Type"))
		if _, named := doc.Paths[path]["get"].Responses["200"].Content[kind]; err != nil || !named {
			t.Errorf("%s is %q (%v), the document names %v", path, kind, err, doc.Paths[path]["get"].Responses["200"].Content)
		}
	}
	city.Stop()
}
