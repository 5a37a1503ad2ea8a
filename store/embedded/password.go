package embedded

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/lamppost-city/lamppost/internal/secret"
)

// passwordName is the file that keeps the password of the one user, in one line.
const passwordName = "password"

// password reads the folder's password, or makes one at the first start. The file is readable by its owner alone, also
// where somebody has changed that.
func password(dir string) (secret.String, error) {
	name := filepath.Join(dir, passwordName)
	text, err := os.ReadFile(name)
	switch {
	case err == nil:
		if err := os.Chmod(name, 0o600); err != nil {
			return "", fmt.Errorf("protect the store's password: %w", err)
		}
		if kept := strings.TrimSpace(string(text)); kept != "" {
			return secret.String(kept), nil
		}
	case !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("read the store's password: %w", err)
	}
	// 26 characters of base32: 130 bits, and nothing that would need escaping in a header.
	made := rand.Text()
	if err := writeFile(dir, passwordName, made+"\n"); err != nil {
		return "", fmt.Errorf("keep the store's password: %w", err)
	}
	return secret.String(made), nil
}

// writeFile puts text into dir/name so that after a crash the file is either there whole or not at all.
func writeFile(dir, name, text string) error {
	f, err := os.CreateTemp(dir, "."+name+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
