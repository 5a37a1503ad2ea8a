package api

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/lamppost-city/lamppost/internal/secret"
)

const (
	tokenBytes     = 32  // of randomness in a token that we make
	minTokenLength = 32  // characters; what a person put there must be as hard to guess
	maxTokenLength = 512 // characters
)

// LoadOrCreateToken returns the token in the file at path, and makes both on the first start: 32 random bytes in
// base64url and a line feed, mode 0600, in a folder that must exist. A file that anybody else may read is refused, for
// then the token is no secret. Two processes that start at once get the same token.
func LoadOrCreateToken(path string) (secret.String, error) {
	token, err := loadToken(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return token, err
	}
	if err := createToken(path); err != nil {
		return "", fmt.Errorf("make api token %s: %w", path, err)
	}
	return loadToken(path)
}

func loadToken(path string) (secret.String, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read api token: %w", err)
	}
	defer file.Close()
	stat, err := file.Stat()
	if err != nil {
		return "", fmt.Errorf("read api token: %w", err)
	}
	if !stat.Mode().IsRegular() {
		return "", fmt.Errorf("read api token: %s is not a file; move it away and a token is made on the next start", path)
	}
	if mode := stat.Mode().Perm(); mode&0o077 != 0 {
		return "", fmt.Errorf("read api token: %s may be read by other users (mode %04o); delete it, and a new token is made on the next start, or run chmod 600 if nobody else has read it", path, mode)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxTokenLength+2))
	if err != nil {
		return "", fmt.Errorf("read api token %s: %w", path, err)
	}
	token := strings.TrimRight(string(text), "\r\n")
	if len(token) < minTokenLength || len(token) > maxTokenLength || strings.ContainsFunc(token, notTokenCharacter) {
		return "", fmt.Errorf("read api token: %s must hold %d to %d letters, digits or any of -._~+/= and nothing else; delete it, and a new token is made on the next start", path, minTokenLength, maxTokenLength)
	}
	return secret.String(token), nil
}

// notTokenCharacter is true for what RFC 6750 section 2.1 does not allow in a bearer token.
func notTokenCharacter(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._~+/=", r)
}

// createToken writes a new token beside path and links it there, which fails, as it should, where another process was
// faster: a reader never sees half a token.
func createToken(path string) error {
	var random [tokenBytes]byte
	rand.Read(random[:]) // never fails, see crypto/rand
	temp, err := os.CreateTemp(filepath.Dir(path), ".api-token-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.WriteString(base64.RawURLEncoding.EncodeToString(random[:]) + "\n")
	err = errors.Join(err, temp.Chmod(0o600), temp.Sync(), temp.Close())
	if err != nil {
		return err
	}
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		if err := os.Rename(temp.Name(), path); err != nil { // file systems without hard links, such as exFAT
			return err
		}
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
