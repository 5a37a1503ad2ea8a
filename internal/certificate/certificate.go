// Package certificate is the certificate of a part that serves with TLS. PEM files come in, and what a listener needs goes out; the
// broker and the metrics call it, and the check of the configuration reads the files beforehand.
//
//	PEM files ──► Renewed ──► tls.Config of the listener
package certificate

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// Files names the PEM files of a certificate chain and its key.
type Files struct{ Cert, Key string }

// Read returns the pair, or why it cannot be used.
func (f Files) Read() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("read certificate %s and key %s: %w", f.Cert, f.Key, err)
	}
	return &pair, nil
}

// Renewed is a pair on disk that is read again when its files change, so that a renewed one needs no restart.
type Renewed struct {
	files Files

	mu      sync.Mutex
	pair    *tls.Certificate
	stamp   [2]time.Time
	checked time.Time
}

// New reads nothing yet.
func New(files Files) *Renewed { return &Renewed{files: files} }

// checkEvery is how often, at most, the files are looked at.
const checkEvery = 10 * time.Second

// Current returns the pair. A changed one that cannot be read leaves the one before in use.
func (c *Renewed) Current() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair != nil && time.Since(c.checked) < checkEvery {
		return c.pair, nil
	}
	c.checked = time.Now()
	stamp := [2]time.Time{modified(c.files.Cert), modified(c.files.Key)}
	if c.pair != nil && stamp == c.stamp {
		return c.pair, nil
	}
	pair, err := c.files.Read()
	if err != nil {
		if c.pair != nil {
			return c.pair, nil
		}
		return nil, err
	}
	c.pair, c.stamp = pair, stamp
	return c.pair, nil
}

func modified(file string) time.Time {
	info, err := os.Stat(file)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// Server is the TLS configuration of a listener.
func (c *Renewed) Server() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.Current() },
	}
}
