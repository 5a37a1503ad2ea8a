package api_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/lamppost-city/lamppost/api"
)

func TestTokenIsMadeOnceAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "api-token")
	first, err := api.LoadOrCreateToken(path)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(first.Reveal())
	if err != nil || len(raw) != 32 {
		t.Errorf("the token is not 32 bytes in base64url: %d bytes, %v", len(raw), err)
	}
	stat, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if stat.Mode().Perm() != 0o600 {
		t.Errorf("mode %o, want 600", stat.Mode().Perm())
	}
	second, err := api.LoadOrCreateToken(path)
	if err != nil || second != first {
		t.Errorf("the second start has another token (error %v)", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("files are left behind: %v", left)
	}
}

func TestProcessesThatStartAtOnceShareTheToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "api-token")
	var tokens [16]string
	var all sync.WaitGroup
	for i := range tokens {
		all.Go(func() {
			token, err := api.LoadOrCreateToken(path)
			if err != nil {
				t.Error(err)
			}
			tokens[i] = token.Reveal()
		})
	}
	all.Wait()
	for _, token := range tokens {
		if token != tokens[0] || token == "" {
			t.Fatalf("different tokens: %q", tokens)
		}
	}
}

func TestTokenFileThatIsNoSecretIsRefused(t *testing.T) {
	const good = "0123456789abcdef0123456789abcdef"
	for _, c := range []struct {
		name, content string
		mode          os.FileMode
		says          string // "" where it is accepted
	}{
		{"readable by the group", good, 0o640, "may be read by other users"},
		{"readable by all", good, 0o644, "may be read by other users"},
		{"too short to be hard to guess", "letmein", 0o600, "32 to 512"},
		{"empty", "", 0o600, "32 to 512"},
		{"two lines", good + "\n" + good, 0o600, "32 to 512"},
		{"too long", strings.Repeat("a", 513), 0o600, "32 to 512"},
		{"a person's own", good + "\n", 0o600, ""},
		{"with a Windows line end", good + "\r\n", 0o400, ""},
	} {
		path := filepath.Join(t.TempDir(), "api-token")
		if err := os.WriteFile(path, []byte(c.content), c.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
		token, err := api.LoadOrCreateToken(path)
		switch {
		case c.says == "" && (err != nil || token != good):
			t.Errorf("%s: %v", c.name, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: error %v, want one that says %q", c.name, err, c.says)
		case err != nil && strings.Contains(err.Error(), good):
			t.Errorf("%s: the error gives the token away: %v", c.name, err)
		}
	}
	if _, err := api.LoadOrCreateToken(filepath.Join(t.TempDir(), "none", "api-token")); err == nil {
		t.Error("a token was made in a folder that does not exist")
	}
}
