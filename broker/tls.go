package broker

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// certificate is a key pair on disk that is read again when its files change, so that a renewed one needs no restart.
type certificate struct {
	files TLS

	mu      sync.Mutex
	pair    *tls.Certificate
	stamp   [2]time.Time
	checked time.Time
}

// certificateCheck is how often, at most, the files are looked at.
const certificateCheck = 10 * time.Second

// current returns the key pair. A changed pair that cannot be read leaves the one before in use.
func (c *certificate) current() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair != nil && time.Since(c.checked) < certificateCheck {
		return c.pair, nil
	}
	c.checked = time.Now()
	stamp := [2]time.Time{modified(c.files.CertFile), modified(c.files.KeyFile)}
	if c.pair != nil && stamp == c.stamp {
		return c.pair, nil
	}
	pair, err := tls.LoadX509KeyPair(c.files.CertFile, c.files.KeyFile)
	if err != nil {
		if c.pair != nil {
			return c.pair, nil
		}
		return nil, fmt.Errorf("read certificate %s and key %s: %w", c.files.CertFile, c.files.KeyFile, err)
	}
	c.pair, c.stamp = &pair, stamp
	return c.pair, nil
}

func modified(file string) time.Time {
	info, err := os.Stat(file)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// server is the TLS configuration of the MQTT port.
func (c *certificate) server() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current() },
	}
}
