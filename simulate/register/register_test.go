package register_test

import (
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/simulate/register"
)

var discard = slog.New(slog.DiscardHandler)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// registerAt registers nothing much, and says how that went and how long it took.
func registerAt(t *testing.T, cfg register.Config) (time.Duration, error) {
	t.Helper()
	cfg.Patience = time.Minute
	if cfg.TokenFile == "" {
		cfg.TokenFile = write(t, "token", "a-token\n")
	}
	began := time.Now()
	h, err := register.NewHTTP(cfg, discard)
	if err != nil {
		return time.Since(began), err
	}
	defer h.Close()
	err = h.Register(t.Context(), strings.NewReader("sensor\n"))
	return time.Since(began), err
}

// city is an API that answers with these statuses, one after the other, the last one for ever.
func city(t *testing.T, serve func(http.Handler) *httptest.Server, statuses ...int) (server *httptest.Server, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	server = serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(asked.Add(1))
		if r.Header.Get("Authorization") != "Bearer a-token" {
			t.Errorf("asked with %q", r.Header.Get("Authorization"))
		}
		w.WriteHeader(statuses[min(n, len(statuses))-1])
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(server.Close)
	return server, asked
}

func TestWhatTryingAgainCannotMendEndsAtOnce(t *testing.T) {
	secured, _ := city(t, httptest.NewTLSServer, http.StatusOK)
	plain, _ := city(t, httptest.NewServer, http.StatusOK)
	denies, _ := city(t, httptest.NewServer, http.StatusUnauthorized)
	trusted := write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secured.Certificate().Raw})))
	for _, c := range []struct {
		name  string
		cfg   register.Config
		words string
	}{
		{"a certificate of nobody known", register.Config{URL: secured.URL}, "--http-ca-file"},
		{"a certificate for another name", register.Config{URL: strings.Replace(secured.URL, "127.0.0.1", "localhost", 1), CAFile: trusted}, "by a name in the certificate"},
		{"no TLS where there should be", register.Config{URL: strings.Replace(plain.URL, "http://", "https://", 1)}, "write http://"},
		{"a token that is refused", register.Config{URL: denies.URL}, "refuses the token"},
		{"a file that is no token", register.Config{URL: plain.URL, TokenFile: write(t, "ca.pem", "-----BEGIN\nMIIB\n")}, "holds more than a token"},
		{"an authority that is none", register.Config{URL: secured.URL, CAFile: write(t, "ca.pem", "x")}, "no PEM certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			took, err := registerAt(t, c.cfg)
			if err == nil || !strings.Contains(err.Error(), c.words) || strings.Contains(err.Error(), "\n") {
				t.Errorf("want one sentence with %q: %v", c.words, err)
			}
			if took > 30*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestAnAPIThatIsStartingIsAskedAgain(t *testing.T) {
	server, asked := city(t, httptest.NewServer, http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusOK)
	if _, err := registerAt(t, register.Config{URL: server.URL}); err != nil || asked.Load() != 3 {
		t.Errorf("asked %d times: %v", asked.Load(), err)
	}
}

func TestAPrivateAuthorityIsTrusted(t *testing.T) {
	server, asked := city(t, httptest.NewTLSServer, http.StatusOK)
	file := write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	if _, err := registerAt(t, register.Config{URL: server.URL, CAFile: file}); err != nil || asked.Load() != 1 {
		t.Errorf("asked %d times: %v", asked.Load(), err)
	}
}
