package main

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// runningFile in the data folder holds the address at which the process that uses the folder answers, and below it the
// file of its certificate, where it has one.
const runningFile = "address"

// running is the process that uses a data folder, as other commands on the same folder see it.
type running struct {
	url string
	// certFile is "" without TLS. It is read at every connection, for it may be renewed meanwhile.
	certFile string
}

// writeRunning notes the address for other commands on the same folder.
func writeRunning(dir string, r running) error {
	text := r.url + "\n"
	if r.certFile != "" {
		file, err := filepath.Abs(r.certFile)
		if err != nil {
			return fmt.Errorf("note the address: %w", err)
		}
		text += file + "\n"
	}
	path := filepath.Join(dir, runningFile)
	if err := os.WriteFile(path+".tmp", []byte(text), 0o600); err != nil {
		return fmt.Errorf("note the address: %w", err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("note the address: %w", err)
	}
	return nil
}

func readRunning(dir string) (running, error) {
	text, err := os.ReadFile(filepath.Join(dir, runningFile))
	if err != nil {
		return running{}, fmt.Errorf("address of the running process: %w", err)
	}
	url, certFile, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return running{url: url, certFile: certFile}, nil
}

// client asks the process. Its certificate is for the names under which others reach it, and seldom for this address: it
// has to be the one in the file, whoever signed it.
func (r running) client() *http.Client {
	return &http.Client{Timeout: 15 * time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // replaced by the stricter comparison below
		VerifyConnection: func(state tls.ConnectionState) error {
			text, err := os.ReadFile(r.certFile)
			if err != nil {
				return err
			}
			own, _ := pem.Decode(text)
			if own == nil || len(state.PeerCertificates) == 0 || !bytes.Equal(state.PeerCertificates[0].Raw, own.Bytes) {
				return errors.New("its certificate is not the one in " + r.certFile)
			}
			return nil
		},
	}}}
}
