package api_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/api"
)

func TestServerStartsAndStops(t *testing.T) {
	s := start(t, nil)
	if err := s.Health(); err != nil {
		t.Errorf("while it serves: %v", err)
	}
	for path, want := range map[string]string{"/": "console", "/sensors/air-1": "console", "/livez": "alive", "/readyz": "ready"} {
		if got := s.get(path).want(http.StatusOK); string(got.body) != want {
			t.Errorf("%s answers %q, want %q", path, got.body, want)
		}
	}
	s.stop()
	if err := s.Health(); err == nil {
		t.Error("it is healthy after it has stopped")
	}
	if conn, err := net.Dial("tcp", s.Addr()); err == nil {
		conn.Close()
		t.Error("the address is still open")
	}
}

func TestTakenPortIsSaidInOneSentence(t *testing.T) {
	s := start(t, nil)
	cfg := s.cfg
	cfg.Listen = s.Addr()
	other, err := api.New(cfg, s.deps, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Health(); err == nil {
		t.Error("it is healthy before it runs")
	}
	err = other.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), s.Addr()+" is taken") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
}

func TestMissingPartsAreNamed(t *testing.T) {
	_, err := api.New(api.DefaultConfig(), api.Deps{}, slog.New(slog.DiscardHandler))
	for _, name := range []string{"Token", "Registry", "Latest", "History", "Figures", "Ledger", "Quarantine", "Replay", "Live", "Audit", "Pipeline", "Parts", "Livez", "Readyz"} {
		if err == nil || !strings.Contains(err.Error(), "Deps."+name) {
			t.Errorf("Deps.%s is not missed: %v", name, err)
		}
	}
}

// insist asks until it is let in, since whoever looks whether it is may be let in before it; 0 is no answer.
func (s *server) insist(path string) int {
	for {
		got, err := s.client.Get(s.URL() + path)
		if err != nil {
			return 0
		}
		got.Body.Close()
		if got.StatusCode != http.StatusServiceUnavailable {
			return got.StatusCode
		}
	}
}

func TestRequestsInProgressMayEndAtStop(t *testing.T) {
	s := start(t, func(s *server) {
		s.history.hold = make(chan struct{})
		s.cfg.StopGrace = 30 * time.Second
		s.cfg.MaxQueries, s.cfg.QueryWait = 1, 0
	})
	status := make(chan int)
	go func() {
		status <- s.insist("/api/v1/history?sensor=aa&quantity=no2")
	}()
	deadline := time.Now().Add(10 * time.Second)
	for s.get("/api/v1/audit").status != http.StatusServiceUnavailable { // until the query runs
		if time.Now().After(deadline) {
			t.Fatal("the query never began")
		}
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.stop()
	}()
	for s.Health() == nil {
		time.Sleep(time.Millisecond)
	}
	close(s.history.hold)
	if got := <-status; got != http.StatusOK {
		t.Errorf("the request in progress ended with %d", got)
	}
	<-stopped
}

func TestRequestsThatDoNotEndAreCutOffAtStop(t *testing.T) {
	s := start(t, func(s *server) {
		s.history.hold = make(chan struct{}) // for ever
		s.cfg.StopGrace = 50 * time.Millisecond
		s.cfg.MaxQueries, s.cfg.QueryWait = 1, 0
	})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.insist("/api/v1/history?sensor=aa&quantity=no2")
	}()
	deadline := time.Now().Add(10 * time.Second)
	for s.get("/api/v1/audit").status != http.StatusServiceUnavailable {
		if time.Now().After(deadline) {
			t.Fatal("the query never began")
		}
	}
	began := time.Now()
	s.stop()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("stopping took %v", took)
	}
	<-ended
}

func TestRenewedCertificateIsPickedUp(t *testing.T) {
	certFile, keyFile, trust := certificate(t)
	s := start(t, func(s *server) { s.cfg.TLSCertFile, s.cfg.TLSKeyFile = certFile, keyFile })
	s.trust(trust)
	got, err := s.client.Get(s.URL() + "/api/v1/city")
	if err != nil {
		t.Fatal(err)
	}
	got.Body.Close()
	if got.ProtoMajor != 2 || !strings.HasPrefix(s.URL(), "https://") {
		t.Errorf("%s over HTTP/%d", s.URL(), got.ProtoMajor)
	}

	newCert, newKey, newTrust := certificate(t)
	connects := func(trust *x509.CertPool) bool {
		conn, err := tls.Dial("tcp", s.Addr(), &tls.Config{RootCAs: trust, ServerName: "localhost"})
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
	move := func(from, to string, age time.Duration) {
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(to, time.Time{}, time.Now().Add(age)); err != nil {
			t.Fatal(err)
		}
	}
	move(newCert, certFile, time.Hour)
	if !connects(trust) || connects(newTrust) {
		t.Error("with half of the new pair the old one is not in use")
	}
	move(newKey, keyFile, time.Hour)
	if !connects(newTrust) {
		t.Error("the new pair is not in use")
	}
}

func TestCertificateThatCannotBeReadStopsTheStart(t *testing.T) {
	certFile, keyFile, _ := certificate(t)
	if err := os.WriteFile(certFile, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, nil)
	cfg := s.cfg
	cfg.TLSCertFile, cfg.TLSKeyFile = certFile, keyFile
	other, err := api.New(cfg, s.deps, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Run(context.Background()); err == nil || !strings.Contains(err.Error(), certFile) {
		t.Errorf("error %v", err)
	}
}
