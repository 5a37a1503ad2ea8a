package influx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
	influxhttp "github.com/influxdata/influxdb-client-go/v2/api/http"

	"github.com/lamppost-city/lamppost/store"
)

// Client writes to and reads from one bucket. It may be used by any number of goroutines at once.
type Client struct {
	cfg       Config
	log       *slog.Logger
	service   influxhttp.Service
	transport *http.Transport
	payloads  *payloads
	writeURL  string
	queryURL  string
	pingURL   string
}

// New returns a client for cfg, which must be valid. It opens no connection.
func New(cfg Config, log *slog.Logger) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure the store's client: %w", err)
	}
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 5 * time.Second,
		ForceAttemptHTTP2:   true,
		MaxConnsPerHost:     cfg.MaxConnections,
		MaxIdleConnsPerHost: cfg.MaxConnections,
		IdleConnTimeout:     90 * time.Second,
		DisableCompression:  cfg.GzipLevel == 0,
		WriteBufferSize:     64 << 10,
		ReadBufferSize:      64 << 10,
	}
	options := influxdb2.DefaultOptions().SetApplicationName("lamppost").SetHTTPClient(&http.Client{
		Transport: transport,
		// A redirected POST would come back as a GET without its body, and look like success.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	})
	c := &Client{
		cfg:       cfg,
		log:       log,
		service:   influxdb2.NewClientWithOptions(cfg.URL, cfg.Token.Reveal(), options).HTTPService(),
		transport: transport,
		payloads:  newPayloads(cfg.GzipLevel),
	}
	base := strings.TrimSuffix(cfg.URL, "/")
	c.writeURL = base + "/api/v2/write?" + url.Values{
		"org": {cfg.Org}, "bucket": {cfg.Bucket}, "precision": {"ms"},
	}.Encode()
	c.queryURL = base + "/query"
	c.pingURL = base + "/ping"
	return c, nil
}

// Config returns what the client was made with.
func (c *Client) Config() Config { return c.cfg }

// Close gives up idle connections. Requests under way are not disturbed.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Ping asks whether a server answers at the address. It proves neither the token nor the bucket; Health does.
func (c *Client) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.pingURL, nil)
	if err != nil {
		return fmt.Errorf("ping %s: %w", c.cfg.URL, err)
	}
	if err := c.do(req, http.StatusNoContent, http.StatusOK); err != nil {
		return fmt.Errorf("ping %s: %w", c.cfg.URL, err)
	}
	return nil
}

// Health asks whether the server answers, knows the token, and has the database that the bucket names.
func (c *Client) Health(ctx context.Context) error {
	if err := c.Ping(ctx); err != nil {
		return err
	}
	// SHOW would find nothing in a database that does not exist; SELECT says so.
	if _, err := c.Query(ctx, `SELECT "value" FROM "health" WHERE time = 0 LIMIT 1`); err != nil {
		return fmt.Errorf("look into bucket %s: %w", c.cfg.Bucket, err)
	}
	return nil
}

// do sends req and maps every answer but the wanted ones to a *store.Error.
func (c *Client) do(req *http.Request, wanted ...int) error {
	resp, err := c.service.DoHTTPRequestWithResponse(req, nil)
	if err != nil {
		return &store.Error{Kind: store.Retry, Err: cause(req.Context(), err)}
	}
	defer drain(resp)
	for _, status := range wanted {
		if resp.StatusCode == status {
			return nil
		}
	}
	return answer(resp, time.Now())
}

// cause puts the context's own error in front, so that errors.Is finds it whatever the transport says.
func cause(ctx context.Context, err error) error {
	if ended := context.Cause(ctx); ended != nil {
		return ended
	}
	// The URL in a url.Error says nothing that the caller does not know, and makes one fault look like many.
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// drain reads the little that may be left, so that the connection can be used again, and closes the body.
func drain(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	_ = resp.Body.Close()
}
