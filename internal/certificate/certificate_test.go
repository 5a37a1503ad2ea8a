package certificate_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lamppost-city/lamppost/internal/certificate"
)

// write puts a pair with that serial number in the place of the files.
func write(t *testing.T, files certificate.Files, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, files.Cert, "CERTIFICATE", der, serial)
	put(t, files.Key, "PRIVATE KEY", secret, serial)
}

func put(t *testing.T, file, kind string, text []byte, changed int64) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: text}), 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1_700_000_000+changed, 0)
	if err := os.Chtimes(file, at, at); err != nil {
		t.Fatal(err)
	}
}

func serial(t *testing.T, c *certificate.Renewed) int64 {
	t.Helper()
	pair, err := c.Current()
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf.SerialNumber.Int64()
}

func TestRenewedPairIsTakenAndADamagedOneIsNot(t *testing.T) {
	dir := t.TempDir()
	files := certificate.Files{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	synctest.Test(t, func(t *testing.T) {
		c := certificate.New(files)
		if _, err := c.Current(); err == nil || !strings.Contains(err.Error(), files.Cert) {
			t.Errorf("a pair that is not there: %v", err)
		}
		write(t, files, 1)
		if got := serial(t, c); got != 1 {
			t.Errorf("number %d", got)
		}
		write(t, files, 2)
		time.Sleep(time.Minute)
		if got := serial(t, c); got != 2 {
			t.Errorf("number %d after a renewal", got)
		}
		put(t, files.Key, "PRIVATE KEY", []byte("nonsense"), 3)
		time.Sleep(time.Minute)
		if got := serial(t, c); got != 2 {
			t.Errorf("number %d where the new pair is damaged", got)
		}
		write(t, files, 4)
		time.Sleep(time.Minute)
		if got := serial(t, c); got != 4 {
			t.Errorf("number %d after it was mended", got)
		}
	})
}
