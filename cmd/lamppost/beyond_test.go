package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
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

	"github.com/lamppost-city/lamppost/internal/endtoend"
)

// keyPair writes a certificate for city.example, which is no name of this machine, and its key.
func keyPair(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "city.example"}, DNSNames: []string{"city.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))),
		write(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
}

// trusted is how a client trusts a certificate that keyPair wrote.
func trusted(t *testing.T, certFile string) *tls.Config {
	t.Helper()
	text, err := os.ReadFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		t.Fatalf("%s holds no certificate", certFile)
	}
	return &tls.Config{RootCAs: roots, ServerName: "city.example", MinVersion: tls.VersionTLS12}
}

// publishOverTLS sends one message as a publisher elsewhere would, and waits for its PUBACK.
func publishOverTLS(t *testing.T, addr, certFile, user, password, payload string) {
	t.Helper()
	client := overTLS(t, addr, certFile, user, password)
	if token := client.Publish("city/"+user+"/readings", 1, false, payload); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		t.Fatalf("publish over TLS: %v", token.Error())
	}
}

func TestACityBeyondItsMachineTakesReadingsOverTLSWithPasswords(t *testing.T) {
	certFile, keyFile := keyPair(t)
	file := write(t, "lamppost.yml", fmt.Sprintf("broker: {server: {tls: {cert_file: %q, key_file: %q}}}\n", certFile, keyFile))
	city := endtoend.NewCity(t, lamppost.itself, "--config", file)
	password := strings.TrimSpace(well(t, "publishers", "add", "loop-1", "--data", city.Dir))
	up := city.Start()
	register(t, city)
	publishOverTLS(t, city.MQTT, certFile, "loop-1", password, `{"time":"2026-03-01T12:00:00Z","speed":50}`)
	city.Settled(1, 10*time.Second)
	if !strings.Contains(up.Stdout(), "MQTT broker   mqtts://"+city.MQTT) {
		t.Errorf("it does not say that its broker speaks TLS:\n%s", up.Stdout())
	}
	city.Stop()
}

func TestTheAuditAsksARunningProcessAlsoWhereItSpeaksTLS(t *testing.T) {
	certFile, keyFile := keyPair(t)
	file := write(t, "lamppost.yml", fmt.Sprintf("http: {tls_cert_file: %q, tls_key_file: %q}\n", certFile, keyFile))
	dir := filepath.Join(t.TempDir(), "data")
	up := lamppost.itself.Start(t, upOn(dir, "--config", file)...)
	audit := func() error {
		if r := lamppost.itself.Run(t, "audit", "--data", dir); r.Code != 0 {
			return errors.New(r.Stdout + r.Stderr)
		}
		return nil
	}
	endtoend.Eventually(t, time.Minute, "the process says where it is", func() error {
		_, err := os.Stat(filepath.Join(dir, "address"))
		return err
	})
	endtoend.Eventually(t, time.Minute, "the audit is clean", audit)
	other, _ := keyPair(t)
	address, err := os.ReadFile(filepath.Join(dir, "address"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "address"), []byte(strings.Replace(string(address), certFile, other, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := audit(); err == nil || !strings.Contains(err.Error(), "its certificate is not the one in "+other) {
		t.Errorf("the audit gave its token to a process with another certificate: %v", err)
	}
	if r := up.Stop(10 * time.Second); r.Code != 0 {
		t.Errorf("it ended with code %d", r.Code)
	}
}

func TestMetricsForOthersAskForTheTokenOverTLS(t *testing.T) {
	certFile, keyFile := keyPair(t)
	dir := filepath.Join(t.TempDir(), "data")
	r := lamppost.built.Run(t, upOn(dir, "--metrics", "0.0.0.0:0")...)
	if r.Code != 1 || !strings.Contains(r.Stderr, "metrics.listen: 0.0.0.0:0") || !strings.Contains(r.Stderr, "http.tls_cert_file") {
		t.Errorf("without TLS: code %d: %s", r.Code, r.Stderr)
	}
	file := write(t, "lamppost.yml", fmt.Sprintf("http: {tls_cert_file: %q, tls_key_file: %q}\n", certFile, keyFile))
	_, port, err := net.SplitHostPort(endtoend.FreeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	up := lamppost.itself.Start(t, upOn(dir, "--config", file, "--metrics", "0.0.0.0:"+port, "--http", "0.0.0.0:0")...)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: trusted(t, certFile)}}
	ask := func(token string) (int, error) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://127.0.0.1:"+port+"/metrics", nil)
		if err != nil {
			return 0, err
		}
		request.Header.Set("Authorization", "Bearer "+token)
		answer, err := client.Do(request)
		if err != nil {
			return 0, err
		}
		return answer.StatusCode, answer.Body.Close()
	}
	endtoend.Eventually(t, time.Minute, "a stranger is refused", func() error {
		status, err := ask("wrong")
		if err == nil && status != http.StatusUnauthorized {
			t.Fatalf("a wrong token is answered with status %d", status)
		}
		return err
	})
	token, err := os.ReadFile(filepath.Join(dir, "api-token"))
	if err != nil {
		t.Fatal(err)
	}
	if status, err := ask(strings.TrimSpace(string(token))); status != http.StatusOK || err != nil {
		t.Errorf("with the token: status %d, %v", status, err)
	}
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	endtoend.Eventually(t, time.Minute, "it says where it can be reached, and what asks for the token", func() error {
		out := up.Stdout()
		for _, want := range []string{"page and API  https://" + name + ":", " (listens on [::]:", "metrics       https://" + name + ":" + port + "/metrics", "(asked for by every request)"} {
			if !strings.Contains(out, want) {
				return fmt.Errorf("%q is not in:\n%s", want, out)
			}
		}
		return nil
	})
	if r := up.Stop(10 * time.Second); r.Code != 0 {
		t.Errorf("it ended with code %d: %s", r.Code, r.Stderr)
	}
	private(t, dir)
}

// private expects every file that Lamppost writes below the folder to be for its owner alone. InfluxDB sees to its own.
func private(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "store" {
			return fs.SkipDir
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestSimulateAndReplayRegisterWithAPrivateAuthority: the API behind the flag refuses what it is sent, so that they end.
func TestSimulateAndReplayRegisterWithAPrivateAuthority(t *testing.T) {
	api := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = fmt.Fprintf(w, `{"title":"not today","detail":%q}`, r.URL.Path)
	}))
	defer api.Close()
	api.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	authority := write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: api.Certificate().Raw})))
	token := write(t, "token", "a-token")
	recording := write(t, "loop.csv", "when,cars\n2026-03-01 12:00:00,5\n")
	const mapping = "zone: Europe/Paris\ntime: {columns: [when], layout: '2006-01-02 15:04:05'}\n" +
		"sensors: [{id: loop-1, title: Loop, site: corner, site_title: Corner, district: harbour, lon: 1, lat: 1}]\ncolumns: [{column: cars, quantity: intensity}]\n"
	if err := os.WriteFile(recording+".mapping.yml", []byte(mapping), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"simulate", "--sensors", "1", "--count", "1"}, {"replay", recording}} {
		args := append(command, "--mqtt", "mqtt://127.0.0.1:1", "--http", api.URL, "--token-file", token)
		sentence(t, lamppost.built.Run(t, args...), "unknown authority", "--http-ca-file")
		sentence(t, lamppost.built.Run(t, append(args, "--http-ca-file", authority)...), "not today", "/api/v1/")
	}
}
