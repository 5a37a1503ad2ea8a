package influx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/store"
)

// maxGetBytes is the longest query sent as a GET, which 1.8 refuses to change anything with; proxies commonly refuse
// addresses beyond 8 KB.
const maxGetBytes = 6 << 10

// chunkRows asks the server to send answers in parts of so many rows, so that neither side holds a long one whole.
const chunkRows = "10000"

var errTooLong = errors.New("the answer is longer than max_response_bytes allows; ask for a shorter range or a longer step")

// Query returns the whole answer of one InfluxQL statement against the bucket, with a series for each combination of
// tags. An answer beyond Config.MaxResponseBytes is a Rejected *store.Error. When ctx ends, the server stops as well.
func (c *Client) Query(ctx context.Context, influxQL string) ([]store.Series, error) {
	var all []store.Series
	err := c.stream(ctx, influxQL, func(next store.Series, continues bool) error {
		if continues {
			last := &all[len(all)-1]
			last.Times = append(last.Times, next.Times...)
			for i := range last.Values {
				last.Values[i] = append(last.Values[i], next.Values[i]...)
			}
			return nil
		}
		all = append(all, next)
		return nil
	}, c.cfg.MaxResponseBytes)
	return all, err
}

// Stream gives the answer of one InfluxQL statement to each, part by part as it arrives, at most 10,000 rows at once
// (where the server sends parts; else each part is bounded by Config.MaxResponseBytes). A long series comes in several
// parts with the same tags. The callback owns what it gets; its error ends the query and is returned.
func (c *Client) Stream(ctx context.Context, influxQL string, each func(store.Series) error) error {
	return c.stream(ctx, influxQL, func(s store.Series, _ bool) error { return each(s) }, 0)
}

// stream tells each whether a series continues the one before it. A total of 0 bounds only the single part.
func (c *Client) stream(ctx context.Context, influxQL string, each func(s store.Series, continues bool) error, total int64) error {
	return c.ask(ctx, influxQL, func(body io.Reader) error {
		return decode(body, each, limits{part: c.cfg.MaxResponseBytes, total: total})
	})
}

// ask sends a query and gives the answer's body to read.
func (c *Client) ask(ctx context.Context, influxQL string, read func(io.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.QueryTimeout)
	defer cancel()
	req, err := c.queryRequest(ctx, influxQL)
	if err != nil {
		return &store.Error{Kind: store.Denied, Err: err}
	}
	resp, err := c.service.DoHTTPRequestWithResponse(req, nil)
	if err != nil {
		return &store.Error{Kind: store.Retry, Err: cause(ctx, err)}
	}
	if resp.StatusCode != http.StatusOK {
		defer drain(resp)
		return answer(resp, time.Now())
	}
	// A body that is closed before its end closes the connection, and thereby the query on the server.
	defer resp.Body.Close()
	err = read(resp.Body)
	if ended := context.Cause(ctx); err != nil && ended != nil {
		return &store.Error{Kind: store.Retry, Status: resp.StatusCode, Err: ended}
	}
	return err
}

func (c *Client) queryRequest(ctx context.Context, influxQL string) (*http.Request, error) {
	database, policy := databaseAndPolicy(c.cfg.Bucket)
	form := url.Values{
		"db": {database}, "q": {influxQL}, "epoch": {"ms"}, "chunked": {"true"}, "chunk_size": {chunkRows},
	}
	if policy != "" {
		form.Set("rp", policy)
	}
	encoded := form.Encode()
	if len(encoded) <= maxGetBytes {
		return http.NewRequestWithContext(ctx, http.MethodGet, c.queryURL+"?"+encoded, nil)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.queryURL, strings.NewReader(encoded))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req, err
}

// limits are in bytes of decompressed JSON; 0 is no limit.
type limits struct{ part, total int64 }

// decode reads the sequence of JSON documents that a chunked answer is.
func decode(body io.Reader, each func(store.Series, bool) error, lim limits) error {
	bounded := &boundedReader{from: body, limits: lim}
	decoder := json.NewDecoder(bounded)
	parts := parts{each: each, more: true}
	for {
		bounded.sincePart = 0
		var d document
		if err := decoder.Decode(&d); err == io.EOF && !parts.more {
			return nil
		} else if err != nil {
			return unreadable(err)
		}
		if err := parts.add(&d); err != nil {
			return err
		}
	}
}

// parts hands on the series of one answer's documents.
type parts struct {
	each func(store.Series, bool) error
	// last is the series that a part may continue.
	last *header
	// more is true until the server has said that nothing follows.
	more bool
}

func (p *parts) add(d *document) error {
	if d.Error != "" {
		return queryError(d.Error)
	}
	p.more = false
	for i := range d.Results {
		result := &d.Results[i]
		if result.Error != "" {
			return queryError(result.Error)
		}
		p.more = p.more || result.Partial
		for j := range result.Series {
			s := &result.Series[j]
			series, err := s.series()
			if err != nil {
				return unreadable(err)
			}
			if err := p.each(series, p.last != nil && p.last.same(&s.header)); err != nil {
				return err
			}
			p.last = &s.header
		}
	}
	return nil
}

// unreadable says of an answer that could not be read whether another attempt makes sense.
func unreadable(err error) error {
	if errors.Is(err, errTooLong) {
		return &store.Error{Kind: store.Rejected, Status: http.StatusOK, Err: errTooLong}
	}
	// A cut connection shows as an end in the middle, wrong bytes as a syntax error: neither says that the query is wrong.
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &store.Error{Kind: store.Retry, Status: http.StatusOK, Err: fmt.Errorf("read the store's answer: %w", err)}
}

// queryError classifies an error that came with status 200, by the words of 1.8 and 2.x: what a later attempt can cure
// is worth retrying, everything else is the query's own fault.
func queryError(message string) error {
	kind := store.Rejected
	for _, words := range []string{"query interrupted", "query aborted", "killed", "max-concurrent-queries", "engine shutdown", "engine is closed", "timeout"} {
		if strings.Contains(message, words) {
			kind = store.Retry
		}
	}
	if strings.Contains(message, "database not found") || strings.Contains(message, "retention policy not found") {
		kind = store.Denied
	}
	return &store.Error{Kind: kind, Status: http.StatusOK, Message: cut(message)}
}

// boundedReader counts what it reads, and fails once a limit is passed.
type boundedReader struct {
	from      io.Reader
	limits    limits
	sincePart int64
	sinceAll  int64
}

func (r *boundedReader) Read(b []byte) (int, error) {
	n, err := r.from.Read(b)
	r.sincePart += int64(n)
	r.sinceAll += int64(n)
	if r.limits.part > 0 && r.sincePart > r.limits.part || r.limits.total > 0 && r.sinceAll > r.limits.total {
		return n, errTooLong
	}
	return n, err
}

// same says whether two parts belong to one series.
func (h *header) same(other *header) bool {
	return h.Name == other.Name && maps.Equal(h.Tags, other.Tags) && slices.Equal(h.Columns, other.Columns)
}
