package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/danielgtaylor/huma/v2"
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

// request is what a command asks of the running process.
type request struct {
	method, path, contentType string
	body                      []byte
}

// maxAnswerBytes bounds what is read of an answer.
const maxAnswerBytes = 64 << 20

// askRunning asks the process that runs on the data folder, with the folder's token, and reads JSON into answer, which may
// be nil. A refusal is an error in the process' own words.
func askRunning(ctx context.Context, dir string, q request, answer any) error {
	process, err := readRunning(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return notRunning(dir)
	}
	if err != nil {
		return err
	}
	token, err := os.ReadFile(filepath.Join(dir, "api-token"))
	if err != nil {
		return fmt.Errorf("token of the running process: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, q.method, process.url+q.path, bytes.NewReader(q.body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	if q.contentType != "" {
		r.Header.Set("Content-Type", q.contentType)
	}
	got, err := process.client().Do(r)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return notRunning(dir)
	}
	if err != nil {
		return fmt.Errorf("ask the running process: %w", err)
	}
	defer func() { _ = got.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(got.Body, maxAnswerBytes))
	if err != nil {
		return fmt.Errorf("ask the running process: %w", err)
	}
	if got.StatusCode >= http.StatusMultipleChoices {
		return refusalOf(got.Status, text)
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("answer of the running process: %w", err)
	}
	return nil
}

// errNotRunning is in the error of askRunning where nothing runs.
var errNotRunning = errors.New("no lamppost runs")

func notRunning(dir string) error {
	return fmt.Errorf("%w on the data folder %s; start it with lamppost up --data %s, or name another folder with --data", errNotRunning, dir, dir)
}

// refusalOf says why the process refuses: in the words of its problem document, if it is one.
func refusalOf(status string, text []byte) error {
	var problem huma.ErrorModel
	if err := json.Unmarshal(text, &problem); err != nil || problem.Detail == "" {
		return fmt.Errorf("the running process answered %s: %.500s", status, text)
	}
	return errors.New(problem.Detail)
}
