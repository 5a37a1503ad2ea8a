package api

import (
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
)

// minCompressed is the size in bytes from which an answer is worth compressing.
const minCompressed = 1 << 10

// newCompressor compresses JSON, GeoJSON, CSV and pages for clients that accept gzip; the live stream stays as it is,
// because a compressor holds lines back.
func newCompressor() (func(http.Handler) http.Handler, error) {
	wrap, err := gzhttp.NewWrapper(
		gzhttp.MinSize(minCompressed),
		gzhttp.EnableZstd(false),
		gzhttp.CompressionLevel(gzip.BestSpeed),
		gzhttp.ContentTypeFilter(func(contentType string) bool {
			kind, _, _ := strings.Cut(contentType, ";")
			return kind != "text/event-stream" &&
				(strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "json"))
		}),
	)
	if err != nil {
		return nil, err
	}
	return func(next http.Handler) http.Handler {
		compressed := wrap(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == livePath {
				next.ServeHTTP(w, r)
				return
			}
			compressed.ServeHTTP(w, r)
		})
	}, nil
}
