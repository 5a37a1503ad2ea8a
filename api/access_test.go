package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lamppost-city/lamppost/api"
)

// certificate writes a self-signed pair for localhost and returns the files and what a client trusts.
func certificate(t *testing.T) (certFile, keyFile string, trust *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, content := range map[string][]byte{certFile: certPEM, keyFile: keyPEM} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trust = x509.NewCertPool()
	trust.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, trust
}

// startAway runs a server as it is away from loopback: behind TLS, every request with the token.
func startAway(t *testing.T) *server {
	t.Helper()
	certFile, keyFile, trust := certificate(t)
	s := start(t, func(s *server) {
		s.away = true
		s.cfg.TLSCertFile, s.cfg.TLSKeyFile = certFile, keyFile
	})
	s.trust(trust)
	return s
}

// signIn returns the Cookie header of a new session.
func (s *server) signIn() string {
	s.t.Helper()
	a := s.ask("POST", "/api/v1/session", `{"token":"`+token+`"}`).want(http.StatusNoContent)
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	return cookie
}

func TestAccess(t *testing.T) {
	const right, wrong, cookie, stale = "right token", "wrong token", "session", "unknown session"
	const own, foreign, same, cross = "own origin", "foreign origin", "same-origin fetch", "cross-site fetch"
	for _, where := range []struct {
		name  string
		start func(*testing.T) *server
	}{
		{"on loopback", func(t *testing.T) *server { return start(t, nil) }},
		{"away from loopback", startAway},
	} {
		s := where.start(t)
		away := where.name == "away from loopback"
		session := s.signIn()
		for _, c := range []struct {
			proof, origin string
			read, change  int // status where everything is free; 401 instead of 200 away
		}{
			{"", "", 200, 401},
			{"", own, 200, 401},
			{"", foreign, 200, 401},
			{right, "", 200, 201},
			{right, foreign, 200, 201}, // no page can make a browser send the header
			{wrong, "", 401, 401},
			{wrong, own, 401, 401},
			{stale, own, 200, 401},
			{cookie, "", 200, 403},
			{cookie, own, 200, 201},
			{cookie, same, 200, 201},
			{cookie, foreign, 200, 403},
			{cookie, cross, 200, 403},
		} {
			var headers []string
			switch c.proof {
			case right:
				headers = append(headers, "Authorization", "Bearer "+token)
			case wrong:
				headers = append(headers, "Authorization", "Bearer "+token+"x")
			case cookie:
				headers = append(headers, "Cookie", session)
			case stale:
				headers = append(headers, "Cookie", "lamppost_session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
			}
			switch c.origin {
			case own:
				headers = append(headers, "Origin", s.URL())
			case foreign:
				headers = append(headers, "Origin", "https://elsewhere.example")
			case same:
				headers = append(headers, "Sec-Fetch-Site", "same-origin")
			case cross:
				headers = append(headers, "Sec-Fetch-Site", "cross-site", "Origin", s.URL())
			}
			name := fmt.Sprintf("%s/%s/%s", where.name, c.proof, c.origin)
			read := c.read
			if away && (c.proof == "" || c.proof == stale) {
				read = http.StatusUnauthorized
			}
			if got := s.get("/api/v1/sensors", headers...); got.status != read {
				t.Errorf("%s: read answers %d, want %d: %s", name, got.status, read, got.body)
			}
			got := s.ask("PUT", "/api/v1/districts/old-town", `{"title":"`+c.proof+`"}`, headers...)
			if got.status == http.StatusOK {
				got.status = http.StatusCreated // it exists from the second time on
			}
			if got.status != c.change {
				t.Errorf("%s: change answers %d, want %d: %s", name, got.status, c.change, got.body)
			}
			if got.status == http.StatusUnauthorized && got.header.Get("Www-Authenticate") == "" {
				t.Errorf("%s: 401 without WWW-Authenticate", name)
			}
		}
		s.stop()
	}
}

func TestAwayFromLoopbackEverythingUnderAPIIsClosed(t *testing.T) {
	s := startAway(t)
	for _, path := range []string{"/api/openapi.json", "/api/docs", "/api/v1/live", "/api/v1/latest", "/api/v1/none", "/api/"} {
		s.get(path).problem(http.StatusUnauthorized)
	}
	s.get("/").want(http.StatusOK) // the page that asks for the token
	s.get("/livez").want(http.StatusOK)
	s.get("/api/docs", "Authorization", "Bearer "+token).want(http.StatusOK)
	if got := s.ask("POST", "/api/v1/session", `{"token":"`+token+`"}`).want(204).header.Get("Set-Cookie"); !strings.Contains(got, "; Secure") {
		t.Errorf("the session's cookie may travel without TLS: %s", got)
	}
}

func TestSession(t *testing.T) {
	s := start(t, func(s *server) { s.cfg.MaxSessions = 2 })
	a := s.ask("POST", "/api/v1/session", `{"token":"`+token+`"}`).want(http.StatusNoContent)
	cookie := a.header.Get("Set-Cookie")
	for _, part := range []string{"HttpOnly", "SameSite=Strict", "Path=/api/", "Max-Age=43200"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("the cookie lacks %s: %s", part, cookie)
		}
	}
	if strings.Contains(cookie, token) {
		t.Error("the cookie holds the token")
	}
	change := func(cookie string) int {
		return s.ask("PUT", "/api/v1/districts/old-town", `{}`, "Cookie", cookie, "Origin", s.URL()).status
	}
	first, second := s.signIn(), s.signIn()
	if got := change(first); got >= 300 {
		t.Errorf("a session cannot change anything: %d", got)
	}
	third := s.signIn() // the first one ends first
	if got := change(first); got != http.StatusUnauthorized {
		t.Errorf("beyond max_sessions the oldest session still answers %d", got)
	}
	s.ask("DELETE", "/api/v1/session", "", "Cookie", third, "Origin", "https://elsewhere.example").problem(http.StatusForbidden)
	s.ask("DELETE", "/api/v1/session", "", "Cookie", third, "Origin", s.URL()).want(http.StatusNoContent)
	if got := change(third); got != http.StatusUnauthorized {
		t.Errorf("after signing out the session still answers %d", got)
	}
	if got := change(second); got >= 300 {
		t.Errorf("signing one session out ended another: %d", got)
	}
	s.ask("POST", "/api/v1/session", `{"token":"nope"}`).problem(http.StatusUnauthorized)
	s.ask("POST", "/api/v1/session", `{"token":"`+token+`"}`, "Origin", "https://elsewhere.example").problem(http.StatusForbidden)
}

func TestSessionEnds(t *testing.T) {
	s := start(t, func(s *server) { s.cfg.SessionLifetime = time.Second })
	cookie := s.signIn()
	deadline := time.Now().Add(10 * time.Second)
	for s.ask("PUT", "/api/v1/districts/old-town", `{}`, "Cookie", cookie, "Origin", s.URL()).status < 300 {
		if time.Now().After(deadline) {
			t.Fatal("a session of one second still lives after ten")
		}
	}
}

func TestWrongTokensAreSlowedDownAndTheRightOnePasses(t *testing.T) {
	s := start(t, nil)
	slowed := false
	for range 30 {
		a := s.get("/api/v1/city", "Authorization", "Bearer nope")
		if a.status == http.StatusTooManyRequests {
			slowed = true
			if a.header.Get("Retry-After") == "" {
				t.Error("429 without Retry-After")
			}
		}
	}
	if !slowed {
		t.Error("thirty wrong tokens in a row were all answered")
	}
	s.get("/api/v1/city", "Authorization", "Bearer "+token).want(http.StatusOK)
	s.get("/api/v1/city", "Authorization", "Basic dXNlcjpwYXNz").problem(http.StatusUnauthorized, "Bearer")
}

func TestLoopbackAnswersOnlyToItsOwnNames(t *testing.T) {
	s := start(t, func(s *server) { s.cfg.Names = []string{"lamppost.example"} })
	for host, want := range map[string]int{
		"localhost": 200, "localhost:8080": 200, "127.0.0.1:1": 200, "[::1]:8080": 200, "LOCALHOST": 200, "127.0.0.9": 200,
		"lamppost.example": 200, "lamppost.example:443": 200,
		"attacker.example": 421, "attacker.example:8080": 421, "localhost.attacker.example": 421, "192.168.1.7": 421, "": 421,
	} {
		for _, path := range []string{"/api/v1/city", "/", "/readyz"} {
			if host == "" {
				continue // the client would send its own
			}
			if got := s.get(path, "Host", host); got.status != want {
				t.Errorf("Host %q: %s answers %d, want %d", host, path, got.status, want)
			}
		}
	}
}

func TestConfigurationFaultsComeAllAtOnce(t *testing.T) {
	cfg := api.DefaultConfig()
	if err := cfg.Validate(); err != nil {
		t.Errorf("the default configuration is refused: %v", err)
	}
	cfg.Listen, cfg.MaxQueries, cfg.CityZone, cfg.TLSKeyFile = "0.0.0.0:80", 0, "Atlantis", "key.pem"
	cfg.Names = []string{"http://lamppost.example"}
	err := cfg.Validate()
	if err == nil {
		t.Fatal("no fault found")
	}
	for _, key := range []string{"listen: ", "max_queries: ", "city_zone: ", "tls_cert_file: ", "names: "} {
		if !strings.Contains(err.Error(), key) {
			t.Errorf("no fault of %s in:\n%v", key, err)
		}
	}
	for _, listen := range []string{":8080", "0.0.0.0:8080", "[::]:8080", "192.0.2.1:8080", "city.example:8080"} {
		cfg := api.DefaultConfig()
		cfg.Listen = listen
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "TLS") {
			t.Errorf("%s is accepted without TLS: %v", listen, err)
		}
	}
}

func TestSessionTellsWhetherTheTokenCounts(t *testing.T) {
	s := start(t, nil)
	free := api.Session{May: []string{"read"}}
	all := api.Session{Authenticated: true, May: []string{"read", "change"}}
	if diff := cmp.Diff(free, decode[api.Session](s.get("/api/v1/session"))); diff != "" {
		t.Errorf("on loopback without a token (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(all, decode[api.Session](s.get("/api/v1/session", "Authorization", "Bearer "+token))); diff != "" {
		t.Errorf("with the token (-want +got):\n%s", diff)
	}
	s.get("/api/v1/session", "Authorization", "Bearer wrong").problem(http.StatusUnauthorized, "token is wrong")
	cookie := s.ask("POST", "/api/v1/session", `{"token":"`+token+`"}`, "Content-Type", "application/json").header.Get("Set-Cookie")
	value, _, _ := strings.Cut(cookie, ";")
	if diff := cmp.Diff(all, decode[api.Session](s.get("/api/v1/session", "Cookie", value))); diff != "" {
		t.Errorf("with a session (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(free, decode[api.Session](s.get("/api/v1/session", "Cookie", value+"x"))); diff != "" {
		t.Errorf("with a session that is none (-want +got):\n%s", diff)
	}

	away := start(t, func(s *server) { s.away = true })
	away.get("/api/v1/session").problem(http.StatusUnauthorized)
	if diff := cmp.Diff(all, decode[api.Session](away.get("/api/v1/session", "Authorization", "Bearer "+token))); diff != "" {
		t.Errorf("away from loopback with the token (-want +got):\n%s", diff)
	}
}
