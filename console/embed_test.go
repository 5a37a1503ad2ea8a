package console_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/console"
)

func page() http.Handler {
	return console.Page(fstest.MapFS{
		".gitkeep":            {Data: nil},
		"index.html":          {Data: []byte("<title>page</title>")},
		"favicon.svg":         {Data: []byte("<svg/>")},
		"assets/app-1a2b.js":  {Data: []byte("let plain")},
		"assets/app-1a2b.css": {Data: []byte("a{}")},
		"assets/work-9f.mjs":  {Data: []byte("self")},
		// The content of a .gz is not looked at: any bytes do.
		"assets/app-1a2b.js.gz": {Data: []byte("zipped")},
	})
}

func ask(h http.Handler, method, target string, header ...string) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestPage(t *testing.T) {
	const forever, check = "public, max-age=31536000, immutable", "no-cache"
	const html, script = "text/html; charset=utf-8", "text/javascript; charset=utf-8"
	tests := []struct {
		rule, target              string
		status                    int
		contentType, cached, body string
	}{
		{"the root is the page", "/", 200, html, check, "<title>page</title>"},
		{"the page by its name is the page, not a redirect", "/index.html", 200, html, check, "<title>page</title>"},
		{"a path of the page is the page", "/sensors/lane-12", 200, html, check, "<title>page</title>"},
		{"a script is cached for ever", "/assets/app-1a2b.js", 200, script, forever, "let plain"},
		{"a style has its type", "/assets/app-1a2b.css", 200, "text/css; charset=utf-8", forever, "a{}"},
		{"a worker has the type of a script", "/assets/work-9f.mjs", 200, script, forever, "self"},
		{"a file without a hash is checked again", "/favicon.svg", 200, "image/svg+xml", check, "<svg/>"},
		{"a script that is gone is not the page", "/assets/app-0000.js", 404, "text/plain; charset=utf-8", "", "no such file: load the page again\n"},
		{"a file that is not there is not the page", "/robots.txt", 404, "text/plain; charset=utf-8", "", "no such file: load the page again\n"},
		{"hidden files are not served", "/.gitkeep", 404, "text/plain; charset=utf-8", "", "no such file: load the page again\n"},
		{"dots do not lead out", "/assets/../../assets/app-1a2b.js", 200, script, forever, "let plain"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			r := ask(page(), http.MethodGet, tt.target)
			got := []any{r.StatusCode, r.Header.Get("Content-Type"), r.Header.Get("Cache-Control"), text(t, r)}
			want := []any{tt.status, tt.contentType, tt.cached, tt.body}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("GET %s (-want +got):\n%s", tt.target, diff)
			}
		})
	}
}

func TestPageIsCompressedForWhoAcceptsIt(t *testing.T) {
	for accept, want := range map[string]string{
		"gzip, br":           "zipped",
		"br;q=1.0, gzip;q=1": "zipped",
		"*":                  "zipped",
		"gzip;q=0, *":        "let plain",
		"br":                 "let plain",
		"":                   "let plain",
		"gzip;q=much":        "let plain",
	} {
		r := ask(page(), http.MethodGet, "/assets/app-1a2b.js", "Accept-Encoding", accept)
		if got := text(t, r); got != want {
			t.Errorf("Accept-Encoding %q: got %q, want %q", accept, got, want)
		}
		if got, want := r.Header.Get("Content-Encoding") == "gzip", want == "zipped"; got != want {
			t.Errorf("Accept-Encoding %q: said to be gzip: %t, want %t", accept, got, want)
		}
		if got := r.Header.Get("Vary"); got != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: Vary is %q", accept, got)
		}
		if got := r.Header.Get("Content-Type"); got != "text/javascript; charset=utf-8" {
			t.Errorf("Accept-Encoding %q: type is %q", accept, got)
		}
	}
}

func TestPageIsNotSentAgainWhenItHasNotChanged(t *testing.T) {
	first := ask(page(), http.MethodGet, "/")
	again := ask(page(), http.MethodGet, "/sensors", "If-None-Match", first.Header.Get("ETag"))
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("got status %d, want 304", again.StatusCode)
	}
	plain := ask(page(), http.MethodGet, "/assets/app-1a2b.js").Header.Get("ETag")
	zipped := ask(page(), http.MethodGet, "/assets/app-1a2b.js", "Accept-Encoding", "gzip").Header.Get("ETag")
	if plain == zipped || plain == "" {
		t.Errorf("plain and compressed bytes share the tag %s", plain)
	}
}

func TestPageNeverAnswersForTheAPI(t *testing.T) {
	for _, target := range []string{"/api", "/api/", "/api/v1/no-such-thing", "/assets/../api/v1/x"} {
		r := ask(page(), http.MethodGet, target)
		if r.StatusCode != http.StatusNotFound || r.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("GET %s: status %d, type %s", target, r.StatusCode, r.Header.Get("Content-Type"))
		}
	}
}

func TestPageCanOnlyBeRead(t *testing.T) {
	r := ask(page(), http.MethodPost, "/")
	if r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: status %d, Allow %q", r.StatusCode, r.Header.Get("Allow"))
	}
	if r := ask(page(), http.MethodHead, "/"); r.StatusCode != http.StatusOK || text(t, r) != "" {
		t.Errorf("HEAD: status %d, or a body", r.StatusCode)
	}
}

func TestEveryAnswerIsClosedToOtherHosts(t *testing.T) {
	for name, h := range map[string]http.Handler{"built": page(), "not built": console.Page(fstest.MapFS{})} {
		for _, target := range []string{"/", "/sensors", "/assets/app-1a2b.js", "/missing.js", "/api/x"} {
			r := ask(h, http.MethodGet, target)
			csp := r.Header.Get("Content-Security-Policy")
			for _, rule := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "worker-src 'self' blob:", "frame-ancestors 'none'"} {
				if !strings.Contains(csp, rule) {
					t.Errorf("%s, GET %s: policy has not %q", name, target, rule)
				}
			}
			if strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") {
				t.Errorf("%s, GET %s: policy is open: %s", name, target, csp)
			}
			if r.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s, GET %s: the browser may guess types", name, target)
			}
		}
	}
}

func TestWithoutABuiltPageTheAnswerSaysHowToBuildIt(t *testing.T) {
	h := console.Page(fstest.MapFS{".gitkeep": {}})
	for _, target := range []string{"/", "/sensors", "/sensors/lane-12"} {
		r := ask(h, http.MethodGet, target)
		body := text(t, r)
		if r.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "make build") {
			t.Errorf("GET %s: status %d, body %q", target, r.StatusCode, body)
		}
		if strings.Contains(body, "<script") || strings.Contains(body, "style=") {
			t.Errorf("GET %s: the policy would stop part of %q", target, body)
		}
	}
}

func TestTheEmbeddedPageAnswers(t *testing.T) {
	r := ask(console.Handler(), http.MethodGet, "/")
	if r.StatusCode != http.StatusOK && r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("got status %d", r.StatusCode)
	}
	if got := r.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("got type %s", got)
	}
}
