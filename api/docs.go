package api

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsTemplate string

//go:embed docs.css
var docsStyle string

// describe adds the OpenAPI document, the page made of it and the health pages to the document, and serves the first two.
// Both are made once: the routes do not change while the process runs.
func (s *Server) describe(mux *http.ServeMux, doc *huma.OpenAPI) error {
	for _, o := range []struct{ id, path, summary, contentType string }{
		{"get-openapi", openAPIPath, "This document", "application/openapi+json"},
		{"get-docs", docsPath, "This document as a page", "text/html"},
		{"livez", "/livez", "Whether the process is alive", "text/plain"},
		{"readyz", "/readyz", "Whether each part is ready, by name; 503 while one is not", "application/json"},
	} {
		op := file(s.operation(http.MethodGet)(o.id, o.path, "About", o.summary), o.contentType, nil)
		if strings.HasSuffix(o.id, "z") {
			op = open(op)
		}
		doc.AddOperation(&op)
	}
	body, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("encode the OpenAPI document: %w", err)
	}
	page, err := docsPage(doc)
	if err != nil {
		return fmt.Errorf("make the documentation page: %w", err)
	}
	styleSum := sha256.Sum256([]byte(docsStyle))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(styleSum[:]) + "'; frame-ancestors 'none'"
	mux.Handle("GET "+openAPIPath, fixed(body, "application/openapi+json", ""))
	mux.Handle("GET "+docsPath, fixed(page, "text/html; charset=utf-8", policy))
	return nil
}

// fixed serves bytes that never change; policy, if any, replaces the one for data.
func fixed(body []byte, contentType, policy string) http.Handler {
	tag := tagOf(body)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Etag", tag)
		h.Set("Cache-Control", revalidate)
		if policy != "" {
			h.Set("Content-Security-Policy", policy)
		}
		if matches(r.Header.Get("If-None-Match"), tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h.Set("Content-Type", contentType)
		w.Write(body) //nolint:errcheck // the client is gone; there is nobody to tell
	})
}

// docsEntry is an endpoint on the page.
type docsEntry struct {
	Method, Path string
	Op           *huma.Operation
	NeedsToken   bool
	Body         []docsField
	BodyType     string
	Answer       []docsField
	AnswerType   string
}

// docsField is a parameter or a property.
type docsField struct {
	Name, Type, Doc string
}

// docsTag is a chapter of the page.
type docsTag struct {
	Name    string
	Entries []docsEntry
}

// docsPage renders the document as HTML that needs no script and nothing from elsewhere.
func docsPage(doc *huma.OpenAPI) ([]byte, error) {
	chapters := map[string][]docsEntry{}
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		item := doc.Paths[path]
		for _, op := range []*huma.Operation{item.Get, item.Put, item.Post, item.Delete} {
			if op != nil {
				chapters[op.Tags[0]] = append(chapters[op.Tags[0]], newDocsEntry(doc, op))
			}
		}
	}
	var tags []docsTag
	for _, name := range []string{"City", "Sensors", "Sites", "Readings", "Accounts", "Bridges", "Session", "About"} {
		tags = append(tags, docsTag{Name: name, Entries: chapters[name]})
	}
	page, err := template.New("docs").Funcs(template.FuncMap{"typeOf": typeOf}).Parse(docsTemplate)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = page.Execute(&out, map[string]any{
		"Info": doc.Info, "Tags": tags, "Style": template.CSS(docsStyle), //nolint:gosec // our own file
		"JSON": openAPIPath,
	})
	return out.Bytes(), err
}

func newDocsEntry(doc *huma.OpenAPI, op *huma.Operation) docsEntry {
	e := docsEntry{Method: op.Method, Path: op.Path, Op: op, NeedsToken: len(op.Security) > 0 && len(op.Security[0]) > 0}
	if op.RequestBody != nil {
		e.BodyType, e.Body = fieldsOf(doc, op.RequestBody.Content)
	}
	for _, status := range []string{"200", "201"} {
		if answer := op.Responses[status]; answer != nil && e.AnswerType == "" {
			e.AnswerType, e.Answer = fieldsOf(doc, answer.Content)
		}
	}
	return e
}

// fieldsOf lists the properties of a body, with those of the things in its list "items" where that is all it holds.
func fieldsOf(doc *huma.OpenAPI, content map[string]*huma.MediaType) (string, []docsField) {
	for contentType, media := range content {
		return contentType, propertiesOf(doc, media.Schema, "", 0)
	}
	return "", nil
}

func propertiesOf(doc *huma.OpenAPI, schema *huma.Schema, prefix string, depth int) []docsField {
	if schema.Ref != "" {
		schema = doc.Components.Schemas.SchemaFromRef(schema.Ref)
	}
	if schema == nil || depth > 3 {
		return nil
	}
	var fields []docsField
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		p := schema.Properties[name]
		fields = append(fields, docsField{Name: prefix + name, Type: typeOf(p), Doc: p.Description})
		switch {
		case p.Ref != "" || p.Properties != nil:
			fields = append(fields, propertiesOf(doc, p, prefix+name+".", depth+1)...)
		case p.Items != nil && p.Items.Ref != "":
			fields = append(fields, propertiesOf(doc, p.Items, prefix+name+"[].", depth+1)...)
		}
	}
	return fields
}

// typeOf words a schema for a reader.
func typeOf(schema *huma.Schema) string {
	switch {
	case schema == nil:
		return ""
	case schema.Ref != "":
		return schema.Ref[strings.LastIndexByte(schema.Ref, '/')+1:]
	case len(schema.Enum) > 0:
		var values []string
		for _, v := range schema.Enum {
			values = append(values, fmt.Sprint(v))
		}
		return strings.Join(values, " | ")
	case schema.Items != nil:
		return "list of " + typeOf(schema.Items)
	}
	return cmp.Or(schema.Format, schema.Type)
}
