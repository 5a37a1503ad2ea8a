package metrics_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/lamppost-city/lamppost/internal/certificate"
	"github.com/lamppost-city/lamppost/service/metrics"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var discard = slog.New(slog.DiscardHandler)

// serve runs an endpoint until the test ends, and returns it when it is ready.
func serve(t *testing.T, cfg metrics.Config, guard metrics.Guard) *metrics.Endpoint {
	t.Helper()
	reg := metrics.NewRegistry()
	reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "lamppost_test_things", Help: "Things."}))
	m, err := metrics.New(cfg, guard, reg, discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-m.Ready():
	case err := <-done:
		done <- nil
		t.Fatal(err)
	}
	return m
}

// get asks with a header Authorization, where it is not empty.
func get(t *testing.T, roots *x509.CertPool, url, authorization string) (status int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	all, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(all)
}

func TestMetricsAreServedOnTheirOwnAddress(t *testing.T) {
	m := serve(t, metrics.Config{Listen: "127.0.0.1:0"}, metrics.Guard{})
	status, text := get(t, nil, m.URL(), "")
	if status != http.StatusOK || !strings.Contains(text, "lamppost_test_things 0") || !strings.Contains(text, "go_goroutines") {
		t.Errorf("status %d:\n%.300s", status, text)
	}
}

func TestTakenAddressIsSaidInOneSentence(t *testing.T) {
	taken := httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	m, err := metrics.New(metrics.Config{Listen: taken.Listener.Addr().String()}, metrics.Guard{}, metrics.NewRegistry(), discard)
	if err != nil {
		t.Fatal(err)
	}
	err = m.Run(t.Context())
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("error: %v", err)
	}
}

func TestAwayFromLoopbackNothingIsServedWithoutTLSAndTheToken(t *testing.T) {
	files, roots := keyPair(t)
	pair := certificate.New(files)
	for name, guard := range map[string]metrics.Guard{"nothing": {}, "no token": {Certificate: pair}, "no certificate": {Token: "x"}} {
		if _, err := metrics.New(metrics.Config{Listen: "0.0.0.0:0"}, guard, metrics.NewRegistry(), discard); !errors.Is(err, metrics.ErrOpen) {
			t.Errorf("%s: %v", name, err)
		}
	}
	guarded := serve(t, metrics.Config{Listen: "0.0.0.0:0"}, metrics.Guard{Certificate: pair, Token: "right-token"})
	_, port, err := net.SplitHostPort(strings.TrimSuffix(strings.TrimPrefix(guarded.URL(), "https://"), "/metrics"))
	if err != nil {
		t.Fatal(err)
	}
	url := "https://127.0.0.1:" + port + "/metrics"
	for authorization, want := range map[string]int{
		"": http.StatusUnauthorized, "Bearer wrong-token": http.StatusUnauthorized, "Basic right-token": http.StatusUnauthorized, "right-token": http.StatusUnauthorized,
		"Bearer right-token": http.StatusOK, "bearer right-token": http.StatusOK,
	} {
		status, text := get(t, roots, url, authorization)
		if status != want || strings.Contains(text, "lamppost_test_things") != (want == http.StatusOK) {
			t.Errorf("%q: status %d:\n%.200s", authorization, status, text)
		}
	}
	if status, text := get(t, nil, "http://127.0.0.1:"+port+"/metrics", "Bearer right-token"); status == http.StatusOK || strings.Contains(text, "lamppost_test_things") {
		t.Errorf("without TLS: status %d:\n%.200s", status, text)
	}
}

func TestCertificateThatCannotBeReadIsSaidBeforeTheAddressIsOpen(t *testing.T) {
	pair := certificate.New(certificate.Files{Cert: "no-such.pem", Key: "no-such.key"})
	m, err := metrics.New(metrics.Config{Listen: "0.0.0.0:0"}, metrics.Guard{Certificate: pair, Token: "x"}, metrics.NewRegistry(), discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "no-such.pem") {
		t.Errorf("error: %v", err)
	}
}

// keyPair writes a certificate for 127.0.0.1 and its key, and trusts it.
func keyPair(t *testing.T) (certificate.Files, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := certificate.Files{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	roots := x509.NewCertPool()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if !roots.AppendCertsFromPEM(text) {
		t.Fatal("the certificate is none")
	}
	for file, text := range map[string][]byte{files.Cert: text, files.Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files, roots
}
