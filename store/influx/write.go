package influx

import (
	"context"
	"fmt"
	"net/http"

	"github.com/lamppost-city/lamppost/store"
)

// Write stores lines of line protocol whose times are in milliseconds, in one request. It returns nil only when the
// store has said that all of them are stored; every other error is, or wraps, a *store.Error. It does not retry. The
// caller may use the memory of lines again as soon as Write returns.
func (c *Client) Write(ctx context.Context, lines []byte) error {
	if len(lines) == 0 {
		return nil
	}
	p, err := c.payloads.pack(lines)
	if err != nil {
		return fmt.Errorf("compress %d bytes of lines: %w", len(lines), err)
	}
	defer p.release()

	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.writeURL, p.open())
	if err != nil {
		return &store.Error{Kind: store.Denied, Err: err}
	}
	req.ContentLength = int64(p.buf.Len())
	req.GetBody = p.reopen
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	if p.compressed {
		req.Header.Set("Content-Encoding", "gzip")
	}
	// Only 204 is proof: 200 is what a portal's login page answers, or 1.8 to a body in which it found no point.
	return c.do(req, http.StatusNoContent)
}
