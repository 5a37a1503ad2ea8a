// Package register makes sensors known before they report: through the HTTP API of a running Lamppost, or through
// whatever else implements Registrar.
//
// The simulator and replay call it once, before they send; behind it stand the API and the registry.
package register

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/lamppost-city/lamppost/internal/secret"
)

// Registrar takes sensors, sites and the street plan in. Both methods may be called again with what is known already.
type Registrar interface {
	// Register takes the registry's CSV format; all of it or nothing.
	Register(ctx context.Context, csv io.Reader) error
	// PutPlan replaces the street plan, a GeoJSON FeatureCollection.
	PutPlan(ctx context.Context, geojson []byte) error
}

// Config says where the API is.
type Config struct {
	// URL is the API's address, such as http://127.0.0.1:8080; "" means that nothing is registered.
	URL string `mapstructure:"url"`
	// TokenFile holds the token that the API asks for; the first start of Lamppost writes it to DATA/api-token.
	TokenFile string `mapstructure:"token_file"`
	// CAFile is a file of PEM certificates that the API's certificate must lead to; "" means those of the system.
	CAFile string `mapstructure:"ca_file"`
	// Patience is how long an API that cannot be reached, or answers that it cannot serve, is asked again.
	Patience time.Duration `mapstructure:"patience"`
}

// DefaultConfig names no API.
func DefaultConfig() Config { return Config{Patience: time.Minute} }

// Validate returns every fault of c, joined.
func (c Config) Validate() error {
	if c.URL == "" {
		return nil
	}
	var faults []error
	if u, err := url.Parse(c.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		faults = append(faults, errors.New("url: is no address of an API; write http://127.0.0.1:8080"))
	} else if u.User != nil {
		faults = append(faults, errors.New("url: must not hold a user or password; the API takes a token from token_file"))
	}
	if c.TokenFile == "" {
		faults = append(faults, errors.New("token_file: is empty; name the file with the API's token, DATA/api-token"))
	}
	if c.Patience < 0 {
		faults = append(faults, fmt.Errorf("patience: %s is negative", c.Patience))
	}
	return errors.Join(faults...)
}

// HTTP registers through the API.
type HTTP struct {
	cfg    Config
	log    *slog.Logger
	token  secret.String
	client *http.Client
}

// NewHTTP reads the token and the certificates; it does not connect.
func NewHTTP(cfg Config, log *slog.Logger) (*HTTP, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	token, err := os.ReadFile(cfg.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("read the API's token: %w", err)
	}
	token = bytes.TrimSpace(token)
	if len(token) == 0 {
		return nil, fmt.Errorf("read the API's token: %s is empty", cfg.TokenFile)
	}
	if bytes.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, fmt.Errorf("read the API's token: %s holds more than a token; name DATA/api-token, or a copy of it", cfg.TokenFile)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the API's certificate authority: %w", err)
		}
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read the API's certificate authority: %s holds no PEM certificate", cfg.CAFile)
		}
	}
	return &HTTP{
		cfg: cfg, log: log, token: secret.String(token),
		client: &http.Client{Timeout: time.Minute, Transport: transport},
	}, nil
}

// Close lets go of idle connections.
func (h *HTTP) Close() { h.client.CloseIdleConnections() }

// Register serves Registrar.
func (h *HTTP) Register(ctx context.Context, csv io.Reader) error {
	body, err := io.ReadAll(csv)
	if err != nil {
		return err
	}
	return h.send(ctx, http.MethodPost, "/api/v1/sensors/import", "text/csv", body)
}

// PutPlan serves Registrar.
func (h *HTTP) PutPlan(ctx context.Context, geojson []byte) error {
	return h.send(ctx, http.MethodPut, "/api/v1/plan", "application/geo+json", geojson)
}

// send repeats the request while trying again can help: both requests may come twice.
func (h *HTTP) send(ctx context.Context, method, path, kind string, body []byte) error {
	deadline, pause := time.Now().Add(h.cfg.Patience), 100*time.Millisecond
	for {
		again, err := h.once(ctx, method, path, kind, body)
		if err == nil || !again || ctx.Err() != nil || time.Now().After(deadline) {
			return err
		}
		wait := pause/2 + rand.N(pause)
		pause = min(2*pause, 5*time.Second)
		h.log.Warn("api not reached, trying again", "error", err.Error(), "after", wait.Round(time.Millisecond))
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return err
		}
	}
}

func (h *HTTP) once(ctx context.Context, method, path, kind string, body []byte) (again bool, err error) {
	address := strings.TrimSuffix(h.cfg.URL, "/") + path
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Authorization", "Bearer "+h.token.Reveal())
	res, err := h.client.Do(req)
	if err != nil {
		return refused(err)
	}
	defer res.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	switch {
	case res.StatusCode < 300:
		return false, nil
	case res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusForbidden:
		return false, fmt.Errorf("%s %s: the API refuses the token in %s", method, address, h.cfg.TokenFile)
	}
	again = res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests
	return again, fmt.Errorf("%s %s: %s: %s", method, address, res.Status, explain(answer))
}

// refused says whether an API that gave no answer may do so when it is asked again: not where it proves to be another one, or
// speaks another protocol.
func refused(err error) (again bool, why error) {
	var unproven *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	switch {
	case errors.As(err, &unproven):
		return false, fmt.Errorf("%w; name the authority that signed the API's certificate (ca_file, --http-ca-file), and the API by a name in the certificate", err)
	case errors.As(err, &plain), errors.Is(err, http.ErrSchemeMismatch):
		return false, fmt.Errorf("%w; the API has no TLS there: write http:// in its address", err)
	}
	return true, err
}

// explain takes from an RFC 9457 problem, or from the import's report, what a person can use.
func explain(answer []byte) string {
	var problem struct {
		Title, Detail string
		Errors        []struct {
			Row             int
			Column, Message string
		}
	}
	if json.Unmarshal(answer, &problem) != nil {
		return fmt.Sprintf("%.200q", answer)
	}
	text := strings.TrimSpace(problem.Title + " " + problem.Detail)
	for i, e := range problem.Errors {
		if i == 3 {
			return fmt.Sprintf("%s; and %d more", text, len(problem.Errors)-i)
		}
		text += fmt.Sprintf("; row %d, %s: %s", e.Row, e.Column, e.Message)
	}
	return text
}
