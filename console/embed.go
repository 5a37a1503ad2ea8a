// Package console is the last hop of a reading: the web page that an operator leaves open on a wall, and its embedding
// into the binary.
//
//	browser ──► Handler ──► dist/ (embedded)      the page, its scripts and styles
//	   │
//	   └──────► /api/v1/...  (package api)        all that the page shows
//
// In comes an HTTP request, out goes a file of the built page; nothing is read from disk and nothing is asked of any
// other host. cmd mounts the handler at "/" beside the API. "make build" puts the page into dist; a binary that was
// built without it answers with a page that says so.
package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

//go:embed all:dist
var built embed.FS

// Handler serves the page that is embedded in this binary: see [Page].
func Handler() http.Handler {
	dist, err := fs.Sub(built, "dist")
	if err != nil {
		panic(err) // the directive above embeds dist, so it is there
	}
	return Page(dist)
}

// Page serves a built page from the files of dist, to GET and HEAD. Names under assets/ carry a hash of their content
// and may be cached for ever; everything else is checked again on each use. A file with a .gz beside it is sent
// compressed to who accepts that. A path that is neither a file nor looks like one gets index.html, because the page
// routes by path; paths under /api/ never do. Without an index.html every path gets a page that says how to build it,
// with status 503. The files are read once, when Page is called, to learn their hashes.
func Page(dist fs.FS) http.Handler {
	s := &site{dist: dist, files: map[string]file{}}
	// A file that cannot be read is left out, and asking for it answers 404.
	_ = fs.WalkDir(dist, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && !strings.HasPrefix(path.Base(name), ".") {
			s.add(name)
		}
		return nil
	})
	return s
}

// site is a built page: its files, and what is to be said of each.
type site struct {
	dist  fs.FS
	files map[string]file
}

// file is what the headers of one file are made of.
type file struct {
	contentType string
	etag        string
	zipped      bool // there is a file of this name with .gz added
	immutable   bool
}

func (s *site) add(name string) {
	if strings.HasSuffix(name, ".gz") {
		return
	}
	body, err := fs.ReadFile(s.dist, name)
	if err != nil {
		return
	}
	sum := sha256.Sum256(body)
	_, err = fs.Stat(s.dist, name+".gz")
	s.files[name] = file{
		contentType: contentType(name),
		etag:        hex.EncodeToString(sum[:12]),
		zipped:      err == nil,
		immutable:   strings.HasPrefix(name, "assets/"),
	}
}

// contentType is decided here and not by the mime package, whose answer depends on files of the machine.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".json", ".map":
		return "application/json"
	case ".webmanifest":
		return "application/manifest+json"
	case ".txt":
		return "text/plain; charset=utf-8"
	case ".woff2":
		return "font/woff2"
	}
	return "application/octet-stream"
}

// ServeHTTP answers with a file, the page, or an error in plain words.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "the page can only be read: use GET", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	if name == "api" || strings.HasPrefix(name, "api/") {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"title":"Not Found","status":404,"detail":"no such address; /api/docs lists all that there are"}`)
		return
	}
	if f, ok := s.files[name]; ok {
		s.serve(w, r, name, f)
		return
	}
	if strings.HasPrefix(name, "assets/") || path.Ext(name) != "" {
		http.Error(w, "no such file: load the page again", http.StatusNotFound)
		return
	}
	index, ok := s.files["index.html"]
	if !ok {
		unbuilt(w, r)
		return
	}
	s.serve(w, r, "index.html", index)
}

// policy lets the page load from its own host alone. The map draws in a worker and keeps pictures as blobs.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; " +
	"connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
}

func (s *site) serve(w http.ResponseWriter, r *http.Request, name string, f file) {
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", "no-cache")
	if f.immutable {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	etag := f.etag
	if f.zipped {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			h.Set("Content-Encoding", "gzip")
			name += ".gz"
			etag += "-gz"
		}
	}
	h.Set("ETag", `"`+etag+`"`)
	opened, err := s.dist.Open(name)
	if err != nil {
		http.Error(w, "the page's file "+name+" cannot be read: build the binary again", http.StatusInternalServerError)
		return
	}
	defer opened.Close()
	body, ok := opened.(io.ReadSeeker)
	if !ok {
		http.Error(w, "the page's file "+name+" cannot be read in parts: build the binary again", http.StatusInternalServerError)
		return
	}
	http.ServeContent(w, r, "", time.Time{}, body)
}

// acceptsGzip reads an Accept-Encoding header (RFC 9110, section 12.5.3): gzip or * with a weight above 0.
func acceptsGzip(header string) bool {
	accepted := false
	for part := range strings.SplitSeq(header, ",") {
		coding, params, _ := strings.Cut(part, ";")
		coding = strings.ToLower(strings.TrimSpace(coding))
		if coding != "gzip" && coding != "*" {
			continue
		}
		weight := 1.0
		if q, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q="); ok {
			parsed, err := strconv.ParseFloat(q, 64)
			weight = parsed
			if err != nil {
				weight = 0
			}
		}
		if coding == "gzip" {
			return weight > 0
		}
		accepted = weight > 0
	}
	return accepted
}

// unbuilt says how to get the page. It has no style or script, so that the policy holds for it too.
func unbuilt(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusServiceUnavailable)
	if r.Method == http.MethodHead {
		return
	}
	_, _ = io.WriteString(w, `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Lamppost: the page is not built</title>
<h1>The page is not in this binary</h1>
<p>Lamppost runs, but it was built without its web page. Run <code>make build</code> in the repository, start Lamppost
again, then reload.</p>
<p>Everything else works: <a href="/api/docs">the API</a>, <a href="/readyz">what is ready</a>.</p>
</html>
`)
}
